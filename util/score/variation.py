"""Outputs that cannot be right whatever they score: dead channels, one output for all images, colours in grey masks."""

import torch
from torch.nn.functional import adaptive_avg_pool2d

SIDE = 64  # outputs are compared at this size, whatever size the images have
GREY = 2 / 255  # one level of 8 bits, where values span -1..1
VARIES = 0.5
"""A ground truth varies if its values span more than this."""
LITTLE = 0.2
"""Outputs are the same if no place changes by more than this share of what the ground truths change."""
TINT = 0.05
"""Mean distance of a channel from the others, of a range of 2, from which an output that should be grey is coloured."""
WRONG_COLOUR = (
    "masks get a wrong colour, which scores hardly show. A part of the last layer may be dead: take a lower --lr or "
    "another --seed; black-and-white masks need one channel only (--output_nc 1)"
)
RGB = ("red", "green", "blue")


class Variation:
    """Compares how far outputs and ground truths vary, batch by batch."""

    def __init__(self) -> None:
        self._images = 0
        self._outputs, self._truths = _Range(), _Range()
        self._grey, self._tints = True, torch.zeros(1)

    def add(self, outputs: torch.Tensor, truths: torch.Tensor) -> None:
        """Take in a batch: float [N, C, h, w] in [-1, 1] on one device."""
        self._images += len(outputs)
        # A dead part of a last layer leaves one channel dark in every other pixel: small pictures show that too.
        small, truth = (adaptive_avg_pool2d(images, SIDE) for images in (outputs, truths))
        self._outputs.add(outputs, small)
        self._truths.add(truths, truth)
        self._grey &= bool((truth - truth[:, :1]).abs().max() < GREY)
        self._tints = self._tints + (small - small.median(1, keepdim=True).values).abs().mean((2, 3)).sum(0)

    def faults(self) -> dict[str, str]:
        """A line for what is wrong, with what helps, by a short key; {} if all is well."""
        return (self._constant() or self._tinted() or self._same()) if self._images else {}

    def _constant(self) -> dict[str, str]:
        wanted = self._truths.high - self._truths.low > VARIES
        dead = (self._outputs.high - self._outputs.low < GREY) & wanted
        if not dead.any():
            return {}
        if dead.sum() == wanted.sum():
            return {
                "constant output": f"the output is one colour all over, in all {self._images} images, where the ground "
                "truth varies: the generator has learnt nothing yet, or is dead. If it stays so, take a lower --lr or "
                "another --seed"
            }
        names, value = self._names(dead), float(self._outputs.low[dead][0])
        return {
            f"dead channel {names}": f"output channel {names} is constant ({value:.2f}) over all {self._images} "
            f"images, where the ground truth varies: {WRONG_COLOUR}"
        }

    def _tinted(self) -> dict[str, str]:
        tints = self._tints / self._images
        if not self._grey or not (tints > TINT).any():
            return {}
        names = self._names(tints > TINT)
        return {
            f"tinted {names}": f"the values of output channel {names} differ from the others by "
            f"{float(tints.max()):.2f} on average (they span 2), where the ground truth is grey: {WRONG_COLOUR}"
        }

    def _same(self) -> dict[str, str]:
        if self._truths.change < VARIES or self._outputs.change > LITTLE * self._truths.change:
            return {}
        return {
            "same output": f"the output is the same for all {self._images} images, where the ground truth varies: "
            "the generator does not look at its input. If it stays so, take a lower --lr or another --seed"
        }

    def _names(self, channels: torch.Tensor) -> str:
        chosen = [int(channel) for channel in channels.nonzero()]
        return " and ".join(RGB[channel] if len(channels) == 3 else str(channel) for channel in chosen)


class _Range:
    """The range of each channel over all pixels and images, and the largest change of any place between images."""

    def __init__(self) -> None:
        self.low = self.high = torch.zeros(0)
        self._low = self._high = torch.zeros(0)

    def add(self, images: torch.Tensor, small: torch.Tensor) -> None:
        lows, highs = [images.amin((0, 2, 3)), small.amin(0)], [images.amax((0, 2, 3)), small.amax(0)]
        if self.low.numel():
            lows = [torch.minimum(a, b) for a, b in zip(lows, (self.low, self._low), strict=True)]
            highs = [torch.maximum(a, b) for a, b in zip(highs, (self.high, self._high), strict=True)]
        (self.low, self._low), (self.high, self._high) = lows, highs

    @property
    def change(self) -> float:
        return float((self._high - self._low).max())
