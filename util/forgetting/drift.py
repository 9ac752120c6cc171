"""How far a generator's outputs moved from its earlier outputs, measured without ground truth."""

import math
from collections.abc import Iterable, Sequence

import torch

WINDOW = 11  # of SSIM, in pixels, as in Wang et al. 2004


def drift(outputs: Sequence[torch.Tensor], reference: Sequence[torch.Tensor]) -> dict[str, float | int | None]:
    """Compare outputs for the same inputs, one by one: float [C, H, W] in [-1, 1], sizes may differ between inputs.

    l1: mean absolute difference, 0..1 (1 is the difference between black and white); psnr: dB, of the mean squared
    error over all images, None where there is no difference; ssim: mean over images of the structural similarity
    (Wang et al. 2004, by kornia), 1 for equal images; bit_equal: number of images that are the same bit for bit.
    """
    pairs = [((a + 1) / 2, (b + 1) / 2) for a, b in zip(outputs, reference, strict=True)]
    error = _mean((a - b).square().mean() for a, b in pairs)
    return {
        "l1": _mean((a - b).abs().mean() for a, b in pairs),
        "psnr": -10 * math.log10(error) if error else None,
        "ssim": _mean_ssim(pairs),
        "bit_equal": sum(torch.equal(a, b) for a, b in zip(outputs, reference, strict=True)),
    }


def ssim_chance(outputs: Sequence[torch.Tensor]) -> float:
    """The chance level of SSIM to one's own earlier outputs: each output is compared with the next image's output.

    A generator that draws pictures of the right kind, but ignores its input, has this score.
    """
    pairs = [(a, b) for a, b in zip(outputs, [*outputs[1:], outputs[0]], strict=True) if a.shape == b.shape]
    return _mean_ssim([((a + 1) / 2, (b + 1) / 2) for a, b in pairs]) if pairs and len(outputs) > 1 else 0.0


def _mean_ssim(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> float:
    from kornia.metrics import ssim  # seconds to import

    return _mean(ssim(a[None], b[None], WINDOW, eps=0.0).mean() for a, b in pairs)


def _mean(values: Iterable[torch.Tensor]) -> float:
    numbers = [float(value) for value in values]
    return math.fsum(numbers) / len(numbers)
