"""A trained run as one file that works without pix2mask."""

from typing import NamedTuple


class Format(NamedTuple):
    """write: makes the file's content of a run (`models.export.exported.Exported`). apply: makes a function of the
    content that applies it, for the check (`models.export.check.Apply`). Both as "module:name"."""

    extension: str
    write: str
    apply: str


FORMATS = {
    "onnx": Format("onnx", "models.export.to_onnx:write_onnx", "models.export.to_onnx:apply_onnx"),
    "torchexport": Format("pt2", "models.export.to_torch:write_torch", "models.export.to_torch:apply_torch"),
    "page": Format("html", "models.export.page:write_page", "models.export.page:apply_page"),
}
"""--to"""

EXTRA = 'it needs the extra export: pip install ".[export]"'
