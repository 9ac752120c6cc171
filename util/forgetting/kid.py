"""KID, the distance of two sets of images by their features, and the networks that give these features."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import inception_v3

from util.run.checkpoint import fingerprint, load_state, read_state_dict


class InceptionFeatures(nn.Module):
    """The 2048 values before the classifier of torchvision's inception_v3.

    path: its state dict, as torchvision publishes it (with or without the auxiliary classifier). Published KID and FID
    are by the weights of the TensorFlow original: near these numbers, not equal to them. UserError for another file.
    """

    def __init__(self, path: Path):
        super().__init__()
        state = {key: value for key, value in read_state_dict(path).items() if not key.startswith("AuxLogits.")}
        # Of torchvision's own preparation of images only the range -1..1 is left: its two normalisations cancel.
        self.net = inception_v3(weights=None, aux_logits=False, transform_input=False, init_weights=False)
        advice = "--kid_weights wants a state dict of torchvision's inception_v3"
        load_state(self.net, state, path, lambda state: advice)
        self.net.fc = nn.Identity()
        self.name = f"inception_v3:{fingerprint(state)[:12]}"
        self.eval()

    @torch.no_grad()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Float [N, C, H, W] in [-1, 1], C 1 or 3 -> [N, 2048] on the CPU."""
        colour = images.to(self.net.Conv2d_1a_3x3.conv.weight.device).expand(-1, 3, -1, -1)
        return self.net(F.interpolate(colour, (299, 299), mode="bilinear", antialias=True)).cpu()


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
        self.layers = nn.ModuleList(
            nn.utils.skip_init(nn.Conv2d, a, b, 3, 2, 1, bias=False)
            for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
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
