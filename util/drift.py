"""How far a generator's outputs moved, without ground truth: from what it put out before, and as a distribution."""

import math
from collections.abc import Sequence

import torch
from kornia.metrics import ssim
from torch import nn

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


class RandomFeatures(nn.Module):
    """Features of images by a convolutional network with random weights, always the same: nothing to download.

    Random networks rank generators much as trained ones do ("Demystifying Randomly Initialized Networks for Evaluating
    Generative Models", arXiv 2208.09218). Mean and spread of every channel at four depths, after convolutions of
    stride 2. They see palettes, textures and blur, not what is shown: 15 horses and 15 zebras are alike to them.
    Compare numbers of the same `name` only, never with published KID, which is by Inception.
    """

    def __init__(self, seed: int = 0):
        super().__init__()
        self.name = f"random:{seed}"
        generator = torch.Generator().manual_seed(seed)
        widths = (3, 32, 64, 128, 256)
        self.layers = nn.ModuleList(nn.utils.skip_init(nn.Conv2d, a, b, 3, 2, 1, bias=False)
                                    for a, b in zip(widths[:-1], widths[1:], strict=True))
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight, generator=generator)

    @torch.no_grad()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Float [N, C, H, W] in [-1, 1], C 1 or 3 -> [N, 960]."""
        x, found = images.expand(-1, 3, -1, -1), []
        for layer in self.layers:
            x = layer(x).relu()
            found += [x.mean((2, 3)), x.std((2, 3), correction=0)]
        return torch.cat(found, 1)


def kernel_distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """KID (Binkowski et al. 2018, arXiv 1801.01401): how far two sets of features [N, D] and [M, D], N and M at least
    2, are apart. 0 is expected, give or take, where both come from one distribution: the estimate is unbiased.

    Squared maximum mean discrepancy under the kernel (x . y / D + 1)^3, over all pairs.
    """
    a, b = a.double(), b.double()

    def kernel(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x: torch.Tensor) -> torch.Tensor:
        among = kernel(x, x)
        return (among.sum() - among.diagonal().sum()) / (len(x) * (len(x) - 1))

    return float(within(a) + within(b) - 2 * kernel(a, b).mean())


def _mean(values) -> float:
    values = [float(value) for value in values]
    return math.fsum(values) / len(values)
