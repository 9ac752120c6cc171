"""--to onnx: one file for onnxruntime."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.export import EXTRA
from models.export.check import Apply
from models.export.exported import Exported
from util.errors import UserError

if TYPE_CHECKING:
    import onnx

KEY = "pix2mask"
"""The file's metadata under this key are `Exported.facts` as JSON."""
AXES = ("batch", "channels", "height", "width")


def write_onnx(export: Exported) -> bytes:
    """The file's content."""
    model = to_model(export)
    return (as_int8(model, export.calibration) if export.calibration else model).SerializeToString()


def to_model(export: Exported) -> onnx.ModelProto:
    """The whole run as an ONNX model. UserError: the extra is not installed."""
    try:
        import onnx
        import onnxruntime  # noqa: F401 - to check the file by
        import onnxscript  # noqa: F401 - torch writes ONNX by it
    except ModuleNotFoundError as error:
        raise UserError(f"--to onnx: {error}: {EXTRA}") from error
    program = torch.onnx.export(
        export.program(), input_names=["image", "white"], output_names=["mask", "probability"], verbose=False
    )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    model = program.model_proto
    dims = [dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim]
    axes = dict(zip(dims, AXES, strict=True))
    for value in (*model.graph.input, *model.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            dim.dim_param = axes.get(dim.dim_param, dim.dim_param)
    del model.graph.value_info[:]  # they name the axes, too
    for node in model.graph.node:
        del node.metadata_props[:]  # where in the source a node was traced, with paths of this machine
        node.doc_string = ""
    onnx.helper.set_model_props(model, {KEY: json.dumps(export.facts)})
    return model


def as_int8(model: onnx.ModelProto, images: Iterable[tuple[np.ndarray, float]]) -> onnx.ModelProto:
    """The model with the weights and inputs of its convolutions in 8 bits; all else stays in float32.

    images: inputs, from which the range of each convolution's input is taken.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        waiting = iter(images)

        def get_next(self) -> Any:  # None ends them
            image = next(self.waiting, None)
            return image and {"image": image[0], "white": np.array(image[1], np.float32)}

    with tempfile.TemporaryDirectory() as folder:
        before, after = (Path(folder) / name for name in ("float32.onnx", "int8.onnx"))
        onnx.save(model, before)
        logging.disable(logging.WARNING)  # it advises a step that torch's export has done already
        try:
            quantize_static(
                before,
                after,
                Reader(),
                per_channel=True,
                op_types_to_quantize=["Conv", "ConvTranspose"],
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        finally:
            logging.disable(logging.NOTSET)
        return onnx.load(after)


def apply_onnx(content: bytes) -> Apply:
    """Apply a file's content with onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def apply(image: np.ndarray, white: float) -> tuple[np.ndarray, np.ndarray]:
        mask, probability = session.run(None, {"image": image, "white": np.array(white, np.float32)})
        return np.asarray(mask), np.asarray(probability)

    return apply
