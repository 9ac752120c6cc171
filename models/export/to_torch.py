"""--to torchexport: one file for torch.export.load, which needs torch and nothing else."""

import io
import json

import numpy as np
import torch

from models.export.check import Apply
from models.export.exported import Exported
from util.errors import UserError

FACTS = "pix2mask.json"
"""The name of `Exported.facts` among the file's extra files."""


def write_torch(export: Exported) -> bytes:
    """The file's content. UserError: a run that does not bring images to one size."""
    if not export.whole.steps.one_size:
        raise UserError(
            "--to torchexport: this run does not bring images to one size (--preprocess), and torch.export fixes which "
            "sizes need padding; take --to onnx"
        )
    file = io.BytesIO()
    torch.export.save(export.program(), file, extra_files={FACTS: json.dumps(export.facts)})
    return file.getvalue()


def apply_torch(content: bytes) -> Apply:
    """Apply a file's content."""
    module = torch.export.load(io.BytesIO(content)).module()

    @torch.no_grad()
    def apply(image: np.ndarray, white: float) -> tuple[np.ndarray, np.ndarray]:
        try:
            mask, probability = module(torch.from_numpy(image), torch.tensor(white))
        except AssertionError as error:  # of torch's, which has compiled in a condition on the size
            height, width = image.shape[-2:]
            raise UserError(
                f"--to torchexport: the program would not take images of {width} x {height} pixels; take --to onnx"
            ) from error
        return mask.numpy(), probability.numpy()

    return apply
