"""Random changes to a training batch, on its device, the target following the image exactly (`--augment`).

The mirror image is not among them: every set has it from the loader (`data.transforms.Geometry`), which flips half of
the images unless --no_flip, exactly and for nothing.
"""

from dataclasses import dataclass

import kornia.augmentation as K
import torch
from kornia.constants import DataKey
from torch import nn

from util.errors import UserError


@dataclass(frozen=True)
class Pose:
    """Ranges of one affine change, drawn anew for each image. rotation, shear: degrees to either side; shift: share of
    the image's height and width; scale: smallest and largest; stretch: the two axes are scaled by different draws."""

    rotation: float
    shift: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    stretch: bool = False
    shear: float = 0.0


SETS: dict[str, tuple[Pose | None, list[tuple[type[nn.Module], tuple[float, float]]]]] = {
    "none": (None, []),
    "flip": (None, []),
    # Bartels et al. 2022: "horizontal flip, rotation, shift, shear, and zoom" by Keras. They give no ranges: these are
    # small ones that leave both lungs in the picture. Keras, too, scales the axes by different draws.
    "paper003": (Pose(10.0, shift=0.1, scale=(0.9, 1.1), stretch=True, shear=5.0), []),
    # Dasic et al. 2024: rotation by 0 to 20 degrees (to either side, here), brightness and zoom within 15 and 10 %.
    "paper004": (Pose(20.0, scale=(0.9, 1.1)), [(K.RandomBrightness, (0.85, 1.15))]),
    # Another patient, another machine.
    "strong": (
        Pose(15.0, shift=0.1, scale=(0.86, 1.16)),
        [(K.RandomGamma, (0.67, 1.5)), (K.RandomContrast, (0.78, 1.28)), (K.RandomBrightness, (0.9, 1.1))],
    ),
}
"""--augment to the pose, and what happens to grey values in [0, 1], which stay there."""


class Augment:
    """Callable on a batch: returns it with `A` and `B` changed, everything else as it is.

    name: a key of `SETS`; labels: the sides ("A", "B", "AB" or "") whose colours stand for classes. A, B: float
    [N, C, H, W] in [-1, 1]. Pose moves A and B alike: what shows classes by nearest neighbour, so that no colour
    comes up that was not there, pictures bilinearly; what comes in from outside repeats the edge. Intensity changes A
    alone, and only a picture. Draws come from PyTorch's global generator. UserError: A and B of a batch differ in size.
    """

    def __init__(self, name: str, device: torch.device, labels: str = "B"):
        self.name, self.device = name, device
        pose, intensity = SETS[name]
        self._pose = pose and _moves(pose, *("nearest" if side in labels else "bilinear" for side in "AB"))
        self._intensity = None
        if intensity and "A" not in labels:
            self._intensity = K.ImageSequential(*(change(limits, p=1.0) for change, limits in intensity))

    def __call__(self, batch: dict) -> dict:
        if self._pose is None:
            return batch
        image, target = (batch[side].to(self.device, non_blocking=True) for side in "AB")
        if image.shape[-2:] != target.shape[-2:]:
            raise UserError(
                f"--augment {self.name} moves A and B alike, but {batch['A_paths'][0]} and "
                f"{batch['B_paths'][0]} are loaded at different sizes; take --preprocess resize_and_crop"
            )
        with torch.no_grad():
            image, target = self._pose(image, target)
            if self._intensity:
                image = self._intensity((image + 1) / 2) * 2 - 1
        return batch | {"A": image, "B": target}


def _moves(pose: Pose, image: str, target: str) -> K.AugmentationSequential:
    """Moves an image and its target alike, each with its own way of resampling."""
    affine = K.RandomAffine(
        pose.rotation,
        translate=(pose.shift, pose.shift),
        scale=pose.scale * (2 if pose.stretch else 1),
        shear=pose.shear or None,
        resample=image,
        padding_mode="border",
        p=1.0,
    )
    return K.AugmentationSequential(
        affine, data_keys=["input", "mask"], extra_args={DataKey.MASK: {"resample": target, "align_corners": None}}
    )
