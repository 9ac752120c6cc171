"""The protocols between the rooms: what data gives, and what a translator does with it.

`data` and `models` do not know each other, and `util` knows neither. Each of them names these types instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, Protocol, TypedDict

if TYPE_CHECKING:  # torch takes seconds to import, and flags are parsed without it
    import numpy as np
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer

VOID = 255
"""Label of a pixel that belongs to no class. It is left out of every score."""


class Item(TypedDict):
    """One image of a data set as tensors. A, B, U: float32 [C, H, W] in [-1, 1]; see `Batch`. size: int [2]."""

    A: Tensor
    B: Tensor
    A_paths: str
    B_paths: str
    size: Tensor
    index: int
    U: NotRequired[Tensor]
    U_paths: NotRequired[str]


class Batch(TypedDict):
    """Images on their way into a network, and the targets that belong to them.

    A: float32 [N, C, H, W] in [-1, 1], the network's input. B: the same, the target. A_paths, B_paths: their files.
    size: int [N, 2], original heights and widths. index: int [N], place in the data set. U, U_paths: images without
    targets that take part in training, as many as A (--unlabelled). U_changed: the same images with other grey values
    (`data.augment.Augment`). old: as many stored examples of each old task (--replay).

    Data sets without targets leave out B and B_paths; test with `"B" in batch`. They are declared as always present
    because training always has them.
    """

    A: Tensor
    B: Tensor
    A_paths: list[str]
    B_paths: list[str]
    size: Tensor
    index: Tensor
    U: NotRequired[Tensor]
    U_paths: NotRequired[list[str]]
    U_changed: NotRequired[Tensor]
    old: NotRequired[list[Batch]]


class ClassMap(Protocol):
    """What the colours of a label picture mean (`data.classes.Classes`)."""

    @property
    def names(self) -> tuple[str, ...]:
        """The classes' names; the first is the background if there are two."""
        ...

    @property
    def binary(self) -> bool:
        """True for background and foreground."""
        ...

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Class indices, uint8 [H, W], to colours, uint8 [H, W, 3]; VOID becomes black."""
        ...

    def decode(self, prediction: Tensor) -> Tensor:
        """Outputs, float [N, C, H, W] in [-1, 1], to indices of the nearest class, uint8 [N, H, W]."""
        ...

    def foreground(self, prediction: Tensor) -> Tensor:
        """Two classes: outputs, float [N, C, H, W] in [-1, 1], to the share of foreground, float [N, H, W] in 0..1."""
        ...

    def certainty(self, prediction: Tensor) -> Tensor:
        """How sure the nearest class is in outputs, float [N, C, H, W] in [-1, 1]: float [N, H, W] in 0.5..1."""
        ...

    def void_rate(self, prediction: Tensor) -> float:
        """Share of pixels of outputs, float [N, 3, H, W] in [-1, 1], that are far from the colour of every class."""
        ...


class ScoredData(Protocol):
    """A data set that outputs can be scored against, image by image (`data.base.PairedDataset`).

    ids, patients, sources: one string an image. files: of all images. classes: None where the target is just a picture.
    has_targets: whether an image has a target of its own. paired: whether that target belongs to the same image.
    skipped: a line for every unreadable file that was left out. unlabelled: images without a target that take part in
    training. empty: how many of how many masks have no foreground, and (0, 0) without masks.
    """

    ids: list[str]
    patients: list[str]
    sources: list[str]
    skipped: list[str]
    has_targets: bool
    empty: tuple[int, int]

    @property
    def unlabelled(self) -> Sequence[object]: ...

    @property
    def files(self) -> list[Path]: ...

    @property
    def classes(self) -> ClassMap | None: ...

    @property
    def paired(self) -> bool: ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: int, /) -> Item: ...

    def image(self, index: int) -> np.ndarray:
        """The input at its original size, uint8 [H, W, 3]."""
        ...

    def truth(self, index: int) -> np.ndarray | None:
        """Class indices at the original size, uint8 [H, W], VOID where a pixel does not count; None without them."""
        ...

    def spacing(self, index: int) -> tuple[float, float] | None:
        """mm per pixel (rows, columns) at the original size; None if unknown."""
        ...


class Batches(Protocol):
    """Batches of a data set, again at every iteration (`data.loader.Loader`)."""

    @property
    def dataset(self) -> ScoredData: ...

    def __iter__(self) -> Iterator[Batch]: ...


class TrainingBatches(Batches, Protocol):
    """Batches to train on, which can begin in the middle of an epoch. images: in a whole epoch."""

    @property
    def images(self) -> int: ...

    @property
    def files(self) -> list[Path]:
        """All image files that take part."""
        ...

    def set_position(self, epoch: int, start: int = 0) -> None:
        """The next iteration gives this epoch without its first `start` images."""
        ...


class Stateful(Protocol):
    """Something with a state to save and to resume."""

    def state_dict(self) -> Mapping: ...

    def load_state_dict(self, state_dict: dict, /) -> object: ...


class Averages(Protocol):
    """Moving averages of the generators' weights (`models.averages.Averages`)."""

    def items(self) -> Iterable[tuple[str, Stateful]]:
        """The average of each generator, by its name."""
        ...

    def step(self) -> None:
        """Take in the weights after a training step."""
        ...

    def in_place(self) -> AbstractContextManager[None]:
        """The averages take the weights' place inside the `with` block."""
        ...


class Rival(Protocol):
    """What holds a generator to its old tasks while it learns a new one (`models.rivals.create`)."""

    def losses(self, images: Tensor, fakes: Tensor, /) -> dict[str, Tensor]:
        """Further losses by name, of the new task's images and the generator's outputs: [N, C, H, W] in [-1, 1]."""
        ...


class Translator(Protocol):
    """What testing sees of a network, of an ensemble, or of a network that is applied in patches."""

    def translate(self, images: Tensor, /) -> Tensor:
        """A to B: float [N, C, H, W] in [-1, 1] to float [N, C', H, W] in [-1, 1]."""
        ...

    def companions(self, batch: Batch, /) -> dict[str, Tensor]:
        """Further pictures of the batch translated last, by label: float [N, C, H, W] in [-1, 1]."""
        ...


class Trainable(Translator, Protocol):
    """A model in training (`models.base.BaseModel`). Everything is by name: "G", "D", or "G_A", "G_B", ...

    pools: image histories of discriminators. tasks: what is trained beside generators that stay frozen.
    """

    device: torch.device
    networks: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]

    @property
    def pools(self) -> Mapping[str, Stateful]: ...

    @property
    def tasks(self) -> Mapping[str, Stateful]: ...

    def describe(self, verbose: bool = False) -> str:
        """Where the generators start from, and a line for each network; its layers too if `verbose`."""
        ...

    def train_step(self, batch: Batch, /) -> dict[str, Tensor]:
        """One update; the losses by upstream's names as detached scalars. Does not wait for the device."""
        ...

    def pictures(self) -> dict[str, Tensor]:
        """The last step's images by upstream's labels: float [N, C, H, W] in [-1, 1]."""
        ...

    def loss(self, fake: Tensor, target: Tensor, /) -> dict[str, Tensor]:
        """The losses that an output and its target alone decide, for validation: float [N, C, H, W] in [-1, 1]."""
        ...


class Masks(Protocol):
    """Masks that another run made of the same images (`util.score.within.Within`)."""

    files: Sequence[Path]

    def __call__(self, index: int, /) -> np.ndarray:
        """The mask of an image by its index, bool [H, W] at the original size."""
        ...
