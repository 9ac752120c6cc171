"""python -m models.publish: what is uploaded, what is refused. The hub is a small server on this machine."""

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

import hubconf
from models.publish.__main__ import contents, main
from tests.helpers import ROOT, python, save_run, words
from util.errors import UserError
from util.folds.record import Record
from util.show.card import CARD, write_card

NET = words("--netG unet_64 --ngf 4 --crop_size 64 --init_gain 0.2 --dataset_mode masks")


@pytest.fixture
def run(tmp_path):
    save_run(tmp_path, "tiny", *NET, epochs=("latest", "best"), dataroot="/home/me/patients")
    write_card(tmp_path / "tiny", "tiny", {"Data": "lungs"})
    return tmp_path / "tiny"


def fill_in(run) -> None:
    card = run / CARD
    card.write_text(card.read_text("utf-8").replace("license: #", "license: mit #"), "utf-8")


def test_half_a_cyclegan_is_refused(run):
    fill_in(run)
    (run / "best_task_G_A.safetensors").touch()
    with pytest.raises(UserError, match="tiny: .*a task is of no use without its donor"):
        contents(run)


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does to whoever makes a repository and commits to it."""

    public = False

    def do_POST(self):
        received = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.calls.append((self.path, received))
        url = f"http://127.0.0.1:{self.server.server_port}/me/lungs"
        if self.path == "/api/repos/create":
            self.answer({"url": url, "id": "me/lungs"})
        elif "/preupload/" in self.path:
            wanted = json.loads(received)["files"]
            self.answer(
                {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in wanted]}
            )
        else:
            self.answer({"commitUrl": f"{url}/commit/1", "commitOid": "1"})

    def do_GET(self):
        self.answer({"id": "me/lungs", "private": not self.server.public, "siblings": [], "sha": "1"})

    def answer(self, value):
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.calls, server.public = [], False
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def publish(run, *more):
    return python("-m", "models.publish", run.name, "--repo", "me/lungs", "--checkpoints_dir", run.parent, *more)


@pytest.mark.slow
def test_the_card_the_options_and_the_best_weights_are_uploaded(run, hub):
    fill_in(run)
    done = publish(run, "--private")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("to me/lungs on the hub, private: README.md, options.json, best_net_G.pth\n")
    assert "/commit/1" in done.stdout
    (_, made), *_, (path, committed) = hub.calls
    assert path == "/api/models/me/lungs/commit/main"
    assert "private" in made
    names = [json.loads(line)["value"].get("path") for line in committed.splitlines()]
    assert names == [None, "README.md", "options.json", "best_net_G.pth"]


@pytest.mark.slow
def test_private_is_refused_where_the_repository_is_public(run, hub):
    hub.public = True
    fill_in(run)
    done = publish(run, "--private")
    assert done.returncode == 2
    assert "public" in done.stderr
    assert [path for path, _ in hub.calls] == ["/api/repos/create"]


@pytest.mark.slow
def test_without_a_token_nothing_is_sent_and_one_line_says_so(run, hub, monkeypatch):
    fill_in(run)
    monkeypatch.delenv("HF_TOKEN")
    done = publish(run)
    assert (done.returncode, done.stdout, hub.calls) == (2, "", [])
    assert done.stderr == "error: no token for the hub: `hf auth login`, or set HF_TOKEN\n"


def test_a_run_without_a_licence_or_a_card_is_refused(run):
    with pytest.raises(UserError, match="fill in its line `license:`"):
        contents(run)
    (run / CARD).unlink()
    with pytest.raises(UserError, match="no card with a licence"):
        contents(run)


def test_of_a_cross_validation_one_run_is_named(run, start):
    Record([0, 1], "", [0, 1]).write(run)
    with pytest.raises(UserError, match="run tiny: a cross-validation of 2 runs, .*name one, such as tiny/fold_0"):
        start(main, "tiny", "--repo", "me/lungs", "--checkpoints_dir", run.parent)


def test_a_task_without_its_donor_is_refused(run):
    fill_in(run)
    for file in run.glob("*_net_G.pth"):
        file.rename(run / file.name.replace("_net_", "_task_"))
    with pytest.raises(UserError, match="of no use without its donor"):
        contents(run)


def test_a_file_of_classes_is_uploaded_as_its_contents(run, tmp_path):
    fill_in(run)
    table = {"background": [0, 0, 0], "heart": [255, 0, 0], "lung": [0, 0, 255]}
    file = tmp_path / "hearts.json"
    file.write_text(json.dumps(table), "utf-8")
    path = run / "options.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"classes": str(file)}), "utf-8")
    (run / "options.json").write_bytes(contents(run)["options.json"])
    file.unlink()
    assert str(tmp_path) not in path.read_text("utf-8")
    image = next((ROOT / "docs" / "images").glob("*.png"))
    assert set(hubconf.segmenter("tiny", run.parent, gpu_ids="-1")(image).mask.ravel()) <= {0, 1, 2}
    assert list(json.loads(json.loads(path.read_text("utf-8"))["classes"])) == list(table)


def test_what_is_uploaded_names_no_folder_and_is_enough_for_the_lines_of_the_card(run, tmp_path):
    fill_in(run)
    folder = tmp_path / "downloaded" / "tiny"
    folder.mkdir(parents=True)
    for name, content in contents(run).items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    assert "/home/me" not in (folder / "options.json").read_text()
    image = next((ROOT / "docs" / "images").glob("*.png"))
    (line,) = re.findall(r"segmenter = torch.hub.load.*(epoch=\"best\")", (run / CARD).read_text("utf-8"))
    assert line == 'epoch="best"'
    segmenter = hubconf.segmenter("tiny", tmp_path / "downloaded", gpu_ids="-1", epoch="best")
    assert segmenter(image).mask.ndim == 2


def test_the_command_is_shorter_than_60_lines():
    """Issue 15 wants it only if it stays that small."""
    assert len((ROOT / "models" / "publish" / "__main__.py").read_text("utf-8").splitlines()) < 60
