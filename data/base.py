"""The base of all data sets: a list of samples, a cache of decoded pictures, and the step to tensors."""

import argparse
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch.utils.data import Dataset

from data.balance import Balance, from_labels, patients_first
from data.cache import Cache
from data.classes import VOID_BIT, Classes, without_void
from data.enhance import Enhance
from data.read.folders import NoForeground
from data.read.headers import measured_at_detector, read_spacing
from data.transforms import Geometry, resize_labels, to_network, to_rgb8
from util.contracts import VOID, ClassMap, Item
from util.errors import UserError
from util.faults import one_line
from util.score.trust.plausible import Seen, Shape


@dataclass(frozen=True)
class Sample:
    """One image and the files of its target, if it has any.

    patient, source, label (the finding): "" if unknown. spacing: mm per pixel (rows, columns) of the original; None if
    it is not listed and only a DICOM header can have it. lends: in data without pairs, this sample is not shown as an
    image; its target is paired with other images. unlabelled: this sample is shown beside the others, and has no target
    (--unlabelled).
    """

    id: str
    image: Path
    targets: tuple[Path, ...] = ()
    patient: str = ""
    source: str = ""
    label: str = ""
    spacing: tuple[float, float] | None = None
    lends: bool = False
    unlabelled: bool = False


@dataclass(frozen=True)
class Decoded:
    """One sample in memory, at the loaded size. Pictures are [H, W] or [H, W, 3], uint8 or uint16; a target with
    classes is class indices with `VOID_BIT`. size: original height and width. truth: the target at that size, kept for
    scores if the target has classes."""

    image: np.ndarray
    target: np.ndarray | None
    size: tuple[int, int]
    truth: np.ndarray | None

    @property
    def nbytes(self) -> int:
        arrays = {id(a): a.nbytes for a in (self.image, self.target, self.truth) if a is not None}
        return sum(arrays.values())


class PairedDataset(Dataset[Item], ABC):
    """Images with or without targets. A subclass lists its samples (`find`) and reads one (`read`).

    In data without pairs, some samples only lend their targets (`Sample.lends`). In training, every epoch deals these
    out to the images in another order, all equally often. In testing and with --serial_batches they keep their order.
    Images without targets are dealt out in the same way: each item brings one of them, if there are any.

    ids, patients, sources: one string per sample. classes: the meaning of the target's colours; None if the target is a
    picture. has_targets: whether images have targets. skipped: a line for every bad file that was left out. notes:
    lines about the data set for its user. swaps: whether --direction BtoA makes an item's target the input. balance:
    which images an epoch takes; None for all.
    drawn: of the images that --max_dataset_size leaves, `num_test` takes images that --seed draws, of as many patients
    as possible, instead of the first. They are images that a network was trained on, however they are read now.
    unlabelled: the samples without a target that take part in training.
    empty: how many of how many masks that were read have no foreground, and (0, 0) without masks.
    """

    swaps = True

    def __init__(
        self, opt: argparse.Namespace, phase: str, train: bool, num_test: float = float("inf"), drawn: bool = False
    ) -> None:
        self.train, self.trained_on, self.seed = train, train or drawn, opt.seed
        self.swap = self.swaps and opt.direction == "BtoA"
        self.skipped: list[str] = []
        self.notes: list[str] = []
        self._stored_as = self.target_classes(opt)
        self.classes: ClassMap | None = self._stored_as
        self.geometry = self._geometry(opt)
        self._channels = (opt.input_nc, opt.output_nc)
        self._enhance = Enhance(opt.intensity, opt.clahe)
        if self.swap and self._enhance:
            raise UserError("--clahe and --intensity are for an X-ray as input: with --direction BtoA the input is B")
        samples = self.find(opt, phase)
        first = int(min(opt.max_dataset_size, len(samples)))
        most = int(min(first, num_test))
        if drawn:
            samples = _draw(samples[:first], most, self.seed)
        shown, lenders, unlabelled = _kinds(samples)
        samples = [*shown[:most], *lenders[:most], *unlabelled]
        self.has_targets = any(s.targets for s in samples) and not (lenders and not train)
        self._check_sides()
        self._filled: dict[Sample, bool] = {}  # whether a mask has any foreground, of all masks read so far
        self._shapes: dict[Sample, Shape] = {}  # of the masks that a network learns to make, read so far
        self._cache = Cache(self._decode, opt.cache_gb, opt.num_threads, opt.skip_bad_files)
        bad = self._cache.fill(samples, f"reading {phase}")
        self.skipped += bad.values()
        self.samples, self._lenders, self.unlabelled = _kinds([s for i, s in enumerate(samples) if i not in bad])
        if not self.samples or (lenders and not self._lenders):
            raise UserError(f"--dataroot {opt.dataroot}: no readable image is left in phase {phase}")
        if unlabelled and not self.unlabelled:
            raise UserError(f"--unlabelled {opt.unlabelled}: no readable image is left; {[*bad.values()][-1]}")
        self.empty = self._count_empty(f"--dataroot {opt.dataroot}, phase {phase}")
        self._shuffles = train and not opt.serial_batches
        self._orders: dict[tuple[int, int], np.ndarray] = {}  # by epoch and kind: the order of what is dealt out
        self.ids = [s.id for s in self.samples]
        self.patients = [s.patient or s.id for s in self.samples]
        self.sources = [s.source for s in self.samples]
        self.balance = Balance(self._positive(), opt.balance) if train and opt.balance else None

    def _geometry(self, opt: argparse.Namespace) -> Geometry:
        sided = self._stored_as.sided if self._stored_as else []
        if sided and self.train and not opt.no_flip:
            self.notes.append(f"no image is flipped: in a mirror image {' and '.join(sided)} would be the wrong class")
        flip = not (opt.no_flip or sided)
        return Geometry(opt.preprocess, opt.load_size, opt.crop_size, flip, self.train, opt.patch)

    def target_classes(self, opt: argparse.Namespace) -> Classes | None:
        """The meaning of the targets' colours; None if the targets are pictures."""
        return Classes.load(opt.classes) if opt.classes else None

    @abstractmethod
    def find(self, opt: argparse.Namespace, phase: str) -> list[Sample]:
        """The samples of a phase, in a fixed order. NoSuchPhase: there are none."""

    @abstractmethod
    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray | None]:
        """Image and target at their original size, before --direction swaps them. The image is a picture; the target is
        a picture or, with classes, class indices uint8 [H, W], void pixels marked by `VOID_BIT`."""

    @property
    def files(self) -> list[Path]:
        """The files of all images, those that only lend their target and those without one too."""
        return [sample.image for sample in [*self.samples, *self._lenders, *self.unlabelled]]

    @property
    def labels(self) -> str:
        """The side of an item whose colours stand for classes: "A", "B" or ""."""
        return "" if self._stored_as is None else "A" if self.swap else "B"

    @property
    def paired(self) -> bool:
        """True if each item's target belongs to the item's image."""
        return self.has_targets and not self._lenders

    @property
    def nbytes(self) -> int:
        """Bytes of all samples, decoded at the loaded size. If not all are in memory, those that are give the mean, and
        if none is, the first one does."""
        return round((self._cache.mean_bytes or self._decode(self.samples[0]).nbytes) * len(self.samples))

    @property
    def masks_seen(self) -> Seen | None:
        """What the masks look like that a network learns to make, of those read so far; None without masks."""
        return Seen.of(self.classes.names, self._shapes.values()) if self.classes else None

    @property
    def cached(self) -> bool:
        """True if every sample is decoded in memory."""
        return self._cache.complete

    def __len__(self) -> int:
        """The number of images. Without pairs, a training epoch is long enough to show every target, too."""
        return max(len(self.samples), len(self._lenders) if self.train else 0)

    def __getitem__(self, key: int | tuple[int, int]) -> Item:
        """Sample `index`, or (index, epoch). Random draws in training depend on seed, epoch and index alone, so a
        resumed or distributed training sees the same views."""
        index, epoch = key if isinstance(key, tuple) else (key, 0)
        sample = self.samples[index % len(self.samples)]
        lender = self._lenders[self._dealt(index, epoch, len(self._lenders), 1)] if self._lenders else sample
        paired = lender is sample
        decoded = self._cache.get(sample)
        image, target = decoded.image, (decoded if paired else self._cache.get(lender)).target
        if self.train:
            random = np.random.default_rng((self.seed, epoch, index))
            view = self._view(image, target if paired else None, random, sample)
            target = target[view if paired else self._view(target, target, random, lender)]
            image = image[view]
        # With --direction BtoA the network's input is the target of the file.
        a_channels, b_channels = reversed(self._channels) if self.swap else self._channels
        sides = [(to_network(image, a_channels), str(sample.image))]
        if target is not None:
            sides.append((self._target_tensor(target, b_channels), str(lender.targets[0])))
        if self.swap:
            sides.reverse()
        item: dict[str, Any] = {"size": torch.tensor(decoded.size), "index": index}
        for side, (tensor, path) in zip("AB", sides, strict=False):
            item |= {side: tensor, f"{side}_paths": path}
        if self.unlabelled:
            item |= self._unlabelled_view(index, epoch)
        return cast(Item, item)

    def __getitems__(self, keys: list[tuple[int, int]]) -> list[Item | UserError]:
        """The items of a batch. A bad file's error takes the place of its item, because a worker process cannot raise
        it as one line (`data.loader.Loader`)."""
        items: list[Item | UserError] = []
        for key in keys:
            try:
                items.append(self[key])
            except UserError as error:
                items.append(error)
            except OSError as error:
                items.append(UserError(one_line(error)))
        return items

    def truth(self, index: int) -> np.ndarray | None:
        """The ground truth, class indices uint8 [H, W] at the original size, VOID where a pixel does not count. None
        without classes or targets."""
        if self.classes is None or not self.has_targets:
            return None
        truth = self._decoded(index).truth
        if truth is None:
            truth = self._read_target(index)
        return np.where(truth >= VOID_BIT, np.uint8(VOID), truth)

    def image(self, index: int) -> np.ndarray:
        """The network's input at its original size, before --intensity and --clahe: uint8 [H, W, 3], for pages."""
        if self.swap:
            target = self._read_target(index)
            return to_rgb8(target) if self._stored_as is None else self._stored_as.encode(without_void(target))
        decoded = self._decoded(index)
        if self._enhance or decoded.image.shape[:2] != decoded.size:
            return to_rgb8(self.read(self.samples[index])[0])
        return to_rgb8(decoded.image)

    def spacing(self, index: int) -> tuple[float, float] | None:
        """mm per pixel (rows, columns) of the image at its original size, by the data set's list or else by a DICOM
        header; None if unknown. Reads no pixels."""
        sample = self.samples[index]
        return sample.spacing or read_spacing(sample.image)

    def spacings_at_detector(self) -> int:
        """The number of images whose `spacing` is one at the detector, where shadows are larger than body parts."""
        return sum(not s.spacing and measured_at_detector(s.image) for s in self.samples)

    def _dealt(self, index: int, epoch: int, count: int, kind: int) -> int:
        """Which of `count` things goes to item `index` in this epoch. kind: tells apart what is dealt out."""
        place = index % count
        if not self._shuffles:
            return place
        if (epoch, kind) not in self._orders:
            kept = {key: order for key, order in self._orders.items() if key[0] == epoch}
            order = np.random.default_rng((self.seed, epoch, 0, kind)).permutation(count)
            self._orders = kept | {(epoch, kind): order}
        return int(self._orders[epoch, kind][place])

    def _unlabelled_view(self, index: int, epoch: int) -> dict[str, Any]:
        """The image without a target that goes with item `index`, as training sees it."""
        sample = self.unlabelled[self._dealt(index, epoch, len(self.unlabelled), 2)]
        image = self._cache.get(sample).image
        view = self._view(image, None, np.random.default_rng((self.seed, epoch, index, 2)), sample)
        return {"U": to_network(image[view], self._channels[0]), "U_paths": str(sample.image)}

    def _positive(self) -> np.ndarray:
        """Which images have a finding, bool [images]: by their labels or, without labels, by whether their masks have
        foreground at the loaded size."""
        if not self.paired or self._stored_as is None:
            raise UserError("--balance needs images with masks of their own, and --classes for these masks")
        positive = from_labels(s.label for s in self.samples)
        if positive is None:
            masks = (self._cache.get(s).target for s in self.samples)
            positive = np.array([without_void(mask).any() for mask in masks])
        if positive.all() or not positive.any():
            raise UserError(
                f"--balance: all images are {'with' if positive.any() else 'without'} a finding, so there is nothing "
                "to balance; leave the flag out"
            )
        return positive

    def _count_empty(self, name: str) -> tuple[int, int]:
        """`empty`. NoForeground: every mask is empty; name: the set, for this error. If memory holds a part of the set
        only, the others are read until one has foreground."""
        if self._stored_as is None or not self.has_targets:
            return 0, 0
        masks = [s for s in (self._lenders or self.samples) if s.targets]
        if not any(self._filled.get(s) for s in masks):
            for sample in masks:
                if sample not in self._filled:
                    self._cache.get(sample)
                if self._filled[sample]:
                    break
            else:
                raise NoForeground(
                    f"{name}: all {len(masks)} masks are empty, so there is nothing to learn and every score would be "
                    f"that of empty masks; the first is {masks[0].targets[0]}"
                )
        read = [self._filled[s] for s in masks if s in self._filled]
        return read.count(False), len(read)

    def _view(
        self, picture: np.ndarray, target: np.ndarray | None, random: np.random.Generator, sample: Sample
    ) -> tuple[slice, slice]:
        """Draw the part of a picture that training sees. target: decides where patches with foreground are."""
        height, width = picture.shape[:2]
        foreground = None
        if self.geometry.patch and self._stored_as is not None and target is not None:
            foreground = without_void(target).astype(bool)
        return self.geometry.draw(height, width, random, str(sample.image), foreground)

    def _read_target(self, index: int) -> np.ndarray:
        """The target of an image in a data set with targets, as `read` returns it."""
        return cast(np.ndarray, self.read(self.samples[index])[1])

    def _decoded(self, index: int) -> Decoded:
        """A sample from memory or disk, at the loaded size."""
        return self._cache.get(self.samples[index])

    def _decode(self, sample: Sample) -> Decoded:
        """Read one sample, resize it to the loaded size and apply --intensity and --clahe."""
        image, target = self.read(sample)
        size = image.shape[:2]
        if target is not None and target.shape[:2] != size:
            raise UserError(
                f"{sample.targets[0]}: {target.shape[1]} x {target.shape[0]} pixels, but its image {sample.image} "
                f"has {size[1]} x {size[0]}: image and target need one size"
            )
        small = self.geometry.load(image, self._channels[1 if self.swap else 0])
        if not sample.lends:
            small = self._enhance(small, str(sample.image))
        if target is None:
            return Decoded(small, None, size, None)
        if target is image and self._channels[0] == self._channels[1]:
            return Decoded(small, small, size, None)
        if self._stored_as is None:
            return Decoded(small, self.geometry.load(target, self._channels[0 if self.swap else 1]), size, None)
        self._filled[sample] = bool(without_void(target).any())
        if self.train and self.classes is not None and sample not in self._shapes:
            self._shapes[sample] = Shape.of(without_void(target), len(self._stored_as))
        keep_truth = self.classes is not None and not self.train
        return Decoded(
            small, resize_labels(target, self.geometry.loaded_size(*size)), size, target if keep_truth else None
        )

    def _target_tensor(self, target: np.ndarray, channels: int) -> torch.Tensor:
        if self._stored_as is None:
            return to_network(target, channels)
        return self._stored_as.to_network(without_void(target), channels)

    def _check_sides(self) -> None:
        if self.swap:
            if not self.has_targets:
                raise UserError("--direction BtoA: this data set has no B to start from")
            self.classes = None
        for flag, channels in zip(("--input_nc", "--output_nc"), self._channels, strict=True):
            if channels not in (1, 3):
                raise UserError(f"{flag} {channels}: images have 1 (grey) or 3 (RGB) channels")
        channels = self._channels[0 if self.swap else 1]
        stored = self._stored_as
        if self.has_targets and stored is not None and channels == 1 and not stored.binary:
            flag = "--input_nc" if self.swap else "--output_nc"
            raise UserError(f"{flag} 1: one channel can show two classes, not {len(stored)}; take {flag} 3")


def _kinds(samples: list[Sample]) -> tuple[list[Sample], list[Sample], list[Sample]]:
    """Those that are shown as images, those that only lend their targets, and those without a target (`Sample`)."""
    shown = [s for s in samples if not (s.lends or s.unlabelled)]
    return shown, [s for s in samples if s.lends], [s for s in samples if s.unlabelled]


def _draw(samples: list[Sample], most: int, seed: int) -> list[Sample]:
    """`most` samples, of as many patients as possible, in the order in which they were."""
    order = patients_first([s.patient or s.id for s in samples], seed)
    return [samples[i] for i in sorted(order[:most])]
