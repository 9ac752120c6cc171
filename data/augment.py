"""--augment: random changes to a training batch, computed on its device. The target follows the image exactly.

Mirror images are not made here. The loader flips half of the images (`data.transforms.Geometry`) unless --no_flip is
given, which loses no precision and costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from util.contracts import Batch
from util.errors import UserError

if TYPE_CHECKING:  # torch and kornia take seconds to import, and the flags only need the names of the sets
    import torch
    from kornia.augmentation import AugmentationSequential, ImageSequential


@dataclass(frozen=True)
class Pose:
    """Ranges of an affine change that is drawn for each image. rotation, shear: degrees to either side. shift: share of
    the image's height and width. scale: smallest and largest factor. stretch: each axis draws its own factor."""

    rotation: float
    shift: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    stretch: bool = False
    shear: float = 0.0


SETS: dict[str, tuple[Pose | None, dict[str, tuple[float, float]]]] = {
    "none": (None, {}),
    "flip": (None, {}),
    # Bartels et al. 2022: "horizontal flip, rotation, shift, shear, and zoom" by Keras. They give no ranges; these are
    # small enough to leave both lungs in the picture. Keras, too, draws a factor for each axis.
    "paper003": (Pose(10.0, shift=0.1, scale=(0.9, 1.1), stretch=True, shear=5.0), {}),
    # Dasic et al. 2024: rotation by 0 to 20 degrees (here to either side), brightness within 15 % and zoom within 10 %.
    "paper004": (Pose(20.0, scale=(0.9, 1.1)), {"RandomBrightness": (0.85, 1.15)}),
    # Wide enough to imitate another patient or another X-ray machine.
    "strong": (
        Pose(15.0, shift=0.1, scale=(0.86, 1.16)),
        {"RandomGamma": (0.67, 1.5), "RandomContrast": (0.78, 1.28), "RandomBrightness": (0.9, 1.1)},
    ),
}
"""--augment to the pose, and kornia's changes of grey values in [0, 1], in order, each with its range."""

UNLABELLED = {"RandomGamma": (0.5, 2.0), "RandomContrast": (0.6, 1.6), "RandomBrightness": (0.8, 1.2)}
"""Changes of grey values of images without masks. They leave every border where it is."""


class Augment:
    """Callable on a batch: returns it with `A`, `B` and `U` changed and all else unchanged.

    name: a key of `SETS`. labels: the sides ("A", "B", "AB" or "") whose colours stand for classes. A, B: float
    [N, C, H, W] in [-1, 1]. The pose moves A and B alike: labels by nearest neighbour, so that no new colour appears,
    and pictures bilinearly. Pixels from outside the image repeat its edge. Grey values change in A alone, and only if A
    is a picture. Images without masks, `U`, get a pose of their own. `U_changed` is added: the same pictures with other
    grey values. Draws come from PyTorch's global generator. UserError: A and B of a batch differ in size.
    """

    def __init__(self, name: str, device: torch.device, labels: str = "B"):
        self.name, self.device = name, device
        pose, intensity = SETS[name]
        resample = {side: "nearest" if side in labels else "bilinear" for side in "AB"}
        self._pose = pose and _moves(pose, resample["A"], resample["B"])
        self._intensity = None
        if intensity and "A" not in labels:
            self._intensity = _changes(intensity)
        self._unlabelled: ImageSequential | None = None  # built at the first batch that has any: kornia is slow to load

    def __call__(self, batch: Batch) -> Batch:
        if "U" in batch:
            images, changed = self._changed(batch["U"])
            batch = {**batch, "U": images, "U_changed": changed}
        if "old" in batch:
            batch = {**batch, "old": [self(old) for old in batch["old"]]}
        return batch if self._pose is None else self._moved(batch, self._pose)

    def _changed(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Images without masks in a new pose, and the same with other grey values."""
        import torch

        images = images.to(self.device, non_blocking=True)
        self._unlabelled = self._unlabelled or _changes(UNLABELLED)
        with torch.no_grad():
            if self._pose:
                images = self._pose(images, data_keys=["input"])
            changed = self._unlabelled((images + 1) / 2) * 2 - 1
        return images, changed

    def _moved(self, batch: Batch, pose: AugmentationSequential) -> Batch:
        import torch

        image, target = (side.to(self.device, non_blocking=True) for side in (batch["A"], batch["B"]))
        if image.shape[-2:] != target.shape[-2:]:
            raise UserError(
                f"--augment {self.name} moves A and B alike, but {batch['A_paths'][0]} and "
                f"{batch['B_paths'][0]} are loaded at different sizes; take --preprocess resize_and_crop"
            )
        with torch.no_grad():
            image, target = pose(image, target)
            if self._intensity:
                image = self._intensity((image + 1) / 2) * 2 - 1
        return {**batch, "A": image, "B": target}


def _changes(intensity: dict[str, tuple[float, float]]) -> ImageSequential:
    """Changes of grey values, each drawn for every image."""
    import kornia.augmentation as K

    return K.ImageSequential(*(getattr(K, name)(limits, p=1.0) for name, limits in intensity.items()))


def _moves(pose: Pose, image: str, target: str) -> AugmentationSequential:
    """Moves an image and its target alike. image, target: how each is resampled."""
    import kornia.augmentation as K
    from kornia.constants import DataKey

    low, high = pose.scale
    affine = K.RandomAffine(
        pose.rotation,
        translate=(pose.shift, pose.shift),
        scale=(low, high, low, high) if pose.stretch else (low, high),
        shear=pose.shear or None,
        resample=image,
        padding_mode="border",
        p=1.0,
    )
    return K.AugmentationSequential(
        affine, data_keys=["input", "mask"], extra_args={DataKey.MASK: {"resample": target, "align_corners": None}}
    )
