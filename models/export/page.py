"""--to page: one HTML file that segments X-rays in a browser, opened from disk, without a network."""

import base64
import gzip
import hashlib
import json
import re
import tarfile
import tempfile
from pathlib import Path

from dominate import tags
from dominate.util import raw

from models.export.check import Apply
from models.export.exported import Exported
from models.export.to_onnx import apply_onnx, write_onnx
from util.errors import UserError
from util.fetch.npm import fetch_package
from util.show.pages import page
from util.show.pictures import PREDICTION

PACKAGE = "onnxruntime-web@1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
RUNTIME = {
    "ort.wasm.bundle.min.mjs": "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
"""The package's files that a page holds, and their SHA-256. There is no build without threads; the page uses one."""
BROWSER = Path(__file__).with_name("browser")
SCRIPTS = ("png.js", "dicom.js", "masks.js", "app.js")
STYLE = """
#drop { background: var(--card); border: 2px dashed var(--edge); padding: 18px; text-align: center; margin: 14px 0; }
#drop input { font: inherit; max-width: 100%; }
#drop p { max-width: none; }
#status { overflow-wrap: anywhere; }
#result { display: flex; flex-wrap: wrap; gap: 24px; align-items: flex-start; }
#result[hidden] { display: none; }
#shown { position: relative; flex: 1 1 320px; max-width: 1024px; background: var(--blank); line-height: 0; }
#shown canvas { width: 100%; max-height: 82vh; object-fit: contain; }
#overlay { position: absolute; left: 0; top: 0; height: 100%; }
#controls { flex: 0 1 300px; min-width: 240px; }
#controls h2 { margin-top: 0; }
#controls label { display: block; margin: 0 0 16px; }
#controls input { width: 100%; }
#controls button { font: inherit; padding: 4px 12px; margin: 0 8px 8px 0; cursor: pointer; }
#area { font-variant-numeric: tabular-nums; }
"""


def write_page(export: Exported) -> bytes:
    """The page's content. UserError: the extra is missing, or npm, or npm's package is another one."""
    model = write_onnx(export)
    script, wasm = runtime()
    code = _without_exports(script) + "\n" + "\n".join((BROWSER / name).read_text("utf-8") for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    # No connection of any kind, and no script but this one. WebAssembly needs a permission of its own.
    policy = (
        f"default-src 'none'; connect-src 'none'; script-src 'sha256-{digest}' 'wasm-unsafe-eval'; "
        "style-src 'unsafe-inline'; img-src blob: data:; base-uri 'none'; form-action 'none'"
    )
    facts = dict(export.facts) | {"rule": vars(export.rule), "colour": PREDICTION}
    doc = page(f"{export.facts['run']}: mask of an X-ray")
    doc.head.add(tags.meta(http_equiv="Content-Security-Policy", content=policy))
    doc.head.add(tags.style(raw(STYLE)))
    with doc.main:
        _content(export)
        _data("facts", json.dumps(facts).replace("<", "\\u003c"))
        _data("wasm", _packed(wasm))
        _data("model", _packed(model))
        tags.script(raw(code), type="module")
    return doc.render(pretty=False).encode()


def apply_page(content: bytes) -> Apply:
    """Apply the model in a page with onnxruntime. The browser's own way is tested, but not at each export."""
    embedded = re.search(rb'id="model"[^>]*>([^<]*)<', content)
    assert embedded  # noqa: S101 - `write_page` put it there
    return apply_onnx(gzip.decompress(base64.b64decode(embedded[1])))


def runtime() -> tuple[str, bytes]:
    """onnxruntime-web's script and its WebAssembly, fetched from npm once and kept beside Python's onnxruntime."""
    import onnxruntime

    kept = Path(onnxruntime.__file__).parent / "web"
    if not all(_is_whole(kept / name, digest) for name, digest in RUNTIME.items()):
        kept.mkdir(exist_ok=True)
        print(f"fetching {PACKAGE} from npm (33 MB, once) ...", flush=True)
        with tempfile.TemporaryDirectory(dir=kept) as folder:  # on the same disk, so that a file is moved whole
            archive = fetch_package(PACKAGE, INTEGRITY, Path(folder), "--to page")
            _unpack(archive, Path(folder), kept)
    script, wasm = (kept / name for name in RUNTIME)
    return script.read_text("utf-8"), wasm.read_bytes()


def _unpack(archive: Path, folder: Path, kept: Path) -> None:
    with tarfile.open(archive) as tar:
        for name in RUNTIME:
            tar.extract(f"package/dist/{name}", folder, filter="data")
            (folder / "package" / "dist" / name).replace(kept / name)


def _is_whole(path: Path, digest: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def _without_exports(module: str) -> str:
    """The module's code with its exports as an object `ort`, so that it needs no file of its own."""
    code, found, exports = module.rpartition("export{")
    names = exports.partition("}")[0]
    if not found or "</script" in module:
        raise UserError(f"{PACKAGE}: not as expected, so no page can be made of it")
    pairs = [pair.split(" as ") for pair in names.split(",")]
    return code + "const ort={" + ",".join(f"{pair[-1]}:{pair[0]}" for pair in pairs) + "};"


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _data(name: str, content: str) -> None:
    tags.script(raw(content), type="text/plain", id=name)


def _content(export: Exported) -> None:
    facts = export.facts
    tags.p(
        f"Run {facts['run']}, epoch {facts['epoch']}. The X-ray stays on this computer: the page holds the network and "
        "cannot connect to anything. It is not a medical device.",
        cls="note",
    )
    with tags.div(id="drop"):
        tags.label("Drop an X-ray here, or choose one: ", tags.input_(type="file", id="file"))
        tags.p("PNG, JPEG, or DICOM (uncompressed, RLE or JPEG baseline).", cls="note")
    tags.p("", id="status", cls="note", aria_live="polite")
    with tags.div(id="result", hidden=True):
        with tags.div(id="shown"):
            tags.canvas(id="xray", aria_label="the X-ray")
            tags.canvas(id="overlay", aria_label="the mask over it")
        with tags.div(id="controls"):
            tags.h2("Mask")
            tags.p(id="area")
            _slider("opacity", "Opacity", 0.5, "0.01")
            _slider("threshold", "Threshold", export.rule.threshold, "0.001")
            tags.button("Recorded threshold", id="reset", type="button")
            tags.button("Download mask (PNG)", id="download", type="button")


def _slider(name: str, title: str, value: float, step: str) -> None:
    with tags.label(f"{title}: "):
        tags.span(id=f"{name}_value")
        tags.input_(type="range", id=name, min="0", max="1", step=step, value=str(value))
