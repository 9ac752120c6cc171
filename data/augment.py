"""Random changes to a training batch, on its device, the target following the image exactly (`--augment`)."""

import kornia.augmentation as K
import torch
from torch import nn

from util.errors import UserError


def _strong() -> list[nn.Module]:
    """Another patient, another machine: pose within 15 degrees, 10 % shift and 15 % size; gamma, contrast, brightness.

    Everything stays in [0, 1]. What comes in from outside the image repeats its edge.
    """
    return [
        K.RandomAffine(15.0, translate=(0.1, 0.1), scale=(0.86, 1.16), padding_mode="border", p=1.0),
        K.RandomGamma((0.67, 1.5), p=1.0),
        K.RandomContrast((0.78, 1.28), p=1.0),
        K.RandomBrightness((0.9, 1.1), p=1.0),
    ]


class Augment:
    """Callable on a batch: returns it with `A` and `B` changed, everything else as it is.

    name: "none" or "strong". A, B: float [N, C, H, W] in [-1, 1]. Geometry is drawn anew for each image and moves A
    and B alike, B by nearest neighbour so that its colours stay those of its classes; intensity changes A alone.
    Draws come from PyTorch's global generator. UserError: A and B of a batch differ in size.
    """

    def __init__(self, name: str, device: torch.device):
        self.device = device
        self.sequence = None
        if name == "strong":
            self.sequence = K.AugmentationSequential(*_strong(), data_keys=["input", "mask"])

    def __call__(self, batch: dict) -> dict:
        if self.sequence is None:
            return batch
        image, target = (batch[side].to(self.device, non_blocking=True) for side in "AB")
        if image.shape[-2:] != target.shape[-2:]:
            raise UserError(f"--augment strong moves A and B alike, but {batch['A_paths'][0]} and "
                            f"{batch['B_paths'][0]} are loaded at different sizes; take --preprocess resize_and_crop")
        with torch.no_grad():
            image, target = self.sequence((image + 1) / 2, (target + 1) / 2)
        return batch | {"A": image * 2 - 1, "B": target * 2 - 1}
