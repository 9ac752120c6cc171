"""How far a generator's outputs moved, without ground truth: from what it put out before, and as a distribution."""

import math
from collections.abc import Sequence

import torch
from kornia.metrics import ssim

WINDOW = 11  # of SSIM, in pixels, as Wang et al. 2004 have it


def drift(outputs: Sequence[torch.Tensor], reference: Sequence[torch.Tensor]) -> dict[str, float | int | None]:
    """Compare outputs for the same inputs, one by one: float [C, H, W] in [-1, 1], sizes may differ among them.

    l1: mean absolute difference, in shares of the range from black to white (0..1); psnr: dB, of the mean squared
    error over all images, None where there is no difference; ssim: mean over images of the structural similarity
    (Wang et al. 2004, by kornia), 1 for equal images; bit_equal: number of images that are the same bit for bit.
    """
    pairs = [((a + 1) / 2, (b + 1) / 2) for a, b in zip(outputs, reference, strict=True)]
    error = _mean((a - b).square().mean() for a, b in pairs)
    return {
        "l1": _mean((a - b).abs().mean() for a, b in pairs),
        "psnr": -10 * math.log10(error) if error else None,
        "ssim": _mean(ssim(a[None], b[None], WINDOW, eps=0.0).mean() for a, b in pairs),
        "bit_equal": sum(torch.equal(a, b) for a, b in zip(outputs, reference, strict=True)),
    }


def ssim_chance(outputs: Sequence[torch.Tensor]) -> float:
    """What SSIM against one's own earlier outputs is worth by chance: each output compared with that for another image.

    A generator that puts out pictures of the right kind, whatever it is shown, scores this.
    """
    same = [(a, b) for a, b in zip(outputs, [*outputs[1:], outputs[0]], strict=True) if a.shape == b.shape]
    return drift(*zip(*same, strict=True))["ssim"] if same and len(outputs) > 1 else 0.0


def _mean(values) -> float:
    values = [float(value) for value in values]
    return math.fsum(values) / len(values)
