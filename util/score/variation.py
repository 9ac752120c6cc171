"""Outputs that do not vary where the ground truth does: dead channels, and the same output for every image."""

import torch
from torch.nn.functional import adaptive_avg_pool2d

SIDE = 64  # outputs are compared at this size, whatever size the images have
GREY = 2 / 255  # one level of 8 bits, where values span -1..1
VARIES = 0.5
"""A ground truth varies if its values span more than this."""
LITTLE = 0.2
"""Outputs are the same if no place changes by more than this share of what the ground truths change."""
RGB = ("red", "green", "blue")


class Variation:
    """Compares how far outputs and ground truths vary, batch by batch."""

    def __init__(self) -> None:
        self._images = 0
        self._outputs, self._truths = _Range(), _Range()

    def add(self, outputs: torch.Tensor, truths: torch.Tensor) -> None:
        """Take in a batch: float [N, C, h, w] in [-1, 1] on one device."""
        self._images += len(outputs)
        self._outputs.add(outputs)
        self._truths.add(truths)

    def faults(self) -> dict[str, str]:
        """A line for each thing that does not vary, with what helps, by a short key; {} if all is well."""
        if not self._images:
            return {}
        wanted = self._truths.high - self._truths.low > VARIES
        dead = [int(c) for c in ((self._outputs.high - self._outputs.low < GREY) & wanted).nonzero()]
        if dead and len(dead) == int(wanted.sum()):
            return {
                "constant output": f"the output is one colour all over, in all {self._images} images, where the ground "
                "truth varies: the generator has learnt nothing yet, or is dead. If it stays so, take a lower --lr or "
                "another --seed"
            }
        if dead:
            value, names = self._outputs.low[dead[0]], [self._name(channel) for channel in dead]
            return {
                f"dead channel {' and '.join(names)}": f"output channel {' and '.join(names)} is constant "
                f"({value:.2f}) over all {self._images} images, where the ground truth varies: masks get a wrong "
                "colour, which scores hardly show. Take a lower --lr or another --seed; black-and-white masks "
                "need one channel only (--output_nc 1)"
            }
        if self._images > 1 and self._truths.change > VARIES and self._outputs.change < LITTLE * self._truths.change:
            return {
                "same output": f"the output is the same for all {self._images} images, where the ground truth varies: "
                "the generator does not look at its input. If it stays so, take a lower --lr or another --seed"
            }
        return {}

    def _name(self, channel: int) -> str:
        return RGB[channel] if len(self._outputs.low) == 3 else str(channel)


class _Range:
    """The range of each channel over all pixels and images, and the largest change of any place between images."""

    def __init__(self) -> None:
        self.low = self.high = torch.zeros(0)
        self._low = self._high = torch.zeros(0)

    def add(self, images: torch.Tensor) -> None:
        small = adaptive_avg_pool2d(images, SIDE)
        lows, highs = [images.amin((0, 2, 3)), small.amin(0)], [images.amax((0, 2, 3)), small.amax(0)]
        if self.low.numel():
            lows = [torch.minimum(a, b) for a, b in zip(lows, (self.low, self._low), strict=True)]
            highs = [torch.maximum(a, b) for a, b in zip(highs, (self.high, self._high), strict=True)]
        (self.low, self._low), (self.high, self._high) = lows, highs

    @property
    def change(self) -> float:
        return float((self._high - self._low).max())
