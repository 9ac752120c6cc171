"""KID, a distance between two sets of images by their features, and the networks that compute these features."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from util.run.checkpoint import fingerprint, load_state, read_state_dict

# torch-fidelity is not used here. Its KID compares random subsets of equal size, its Inception needs a weights file in
# its own layout instead of torchvision's, and it has no features without a download: only half of the class below would
# go, and --kid_weights would stop reading the files that it reads today.


def create_features(weights: Path | None, device: torch.device) -> "InceptionFeatures | RandomFeatures":
    """The features that KID is measured by: Inception's from a file on `device`, else those of random weights.

    Their `name` says which: only KID by features of one name is comparable.
    """
    return InceptionFeatures(weights).to(device) if weights else RandomFeatures()


class InceptionFeatures(nn.Module):
    """The 2048 values before the classifier of torchvision's inception_v3.

    path: its state dict, as torchvision publishes it (with or without the auxiliary classifier). Published KID and FID
    use the weights of the TensorFlow original: these numbers are close to them, but not equal. UserError for another
    file.
    """

    def __init__(self, path: Path):
        from torchvision.models import inception_v3  # seconds to import

        super().__init__()
        state = {key: value for key, value in read_state_dict(path).items() if not key.startswith("AuxLogits.")}
        # torchvision's own preparation ends in the range -1..1 again, because its two normalisations cancel.
        self.net: nn.Module = inception_v3(weights=None, aux_logits=False, transform_input=False, init_weights=False)
        advice = "--kid_weights wants a state dict of torchvision's inception_v3"
        load_state(self.net, state, path, lambda state: advice)
        self.net.add_module("fc", nn.Identity())
        self.name = f"inception_v3:{fingerprint(state)[:12]}"
        self.eval()

    @torch.no_grad()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Float [N, C, H, W] in [-1, 1], C 1 or 3 -> [N, 2048] on the CPU."""
        colour = images.to(next(self.net.parameters()).device).expand(-1, 3, -1, -1)
        return self.net(F.interpolate(colour, (299, 299), mode="bilinear", antialias=True)).cpu()


class RandomFeatures(nn.Module):
    """Features by a convolutional network with random weights, always the same: nothing to download.

    Random networks rank generators much as trained ones do ("Demystifying Randomly Initialized Networks for Evaluating
    Generative Models", arXiv 2208.09218). The features are mean and spread of every channel at four depths, after
    convolutions of stride 2. They see palettes, textures and blur, not objects: 15 horses and 15 zebras look alike to
    them. Compare only numbers of the same `name`, never with published KID, which uses Inception.
    """

    def __init__(self, seed: int = 0):
        super().__init__()
        self.name = f"random:{seed}"
        generator = torch.Generator().manual_seed(seed)
        widths = (3, 32, 64, 128, 256)
        layers = [
            nn.utils.skip_init(nn.Conv2d, a, b, 3, 2, 1, bias=False)
            for a, b in zip(widths[:-1], widths[1:], strict=True)
        ]
        for layer in layers:
            nn.init.kaiming_normal_(layer.get_parameter("weight"), generator=generator)
        self.layers = nn.ModuleList(layers)

    @torch.no_grad()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Float [N, C, H, W] in [-1, 1], C 1 or 3 -> [N, 960]."""
        x, features = images.expand(-1, 3, -1, -1), []
        for layer in self.layers:
            x = layer(x).relu()
            features += [x.mean((2, 3)), x.std((2, 3), correction=0)]
        return torch.cat(features, 1)


def kernel_distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """KID (Binkowski et al. 2018, arXiv 1801.01401) of two sets of features [N, D] and [M, D], N and M at least 2.

    The squared maximum mean discrepancy under the kernel (x . y / D + 1)^3, over all pairs. The estimate is unbiased:
    it scatters around 0, also below it, where both sets come from one distribution.
    """
    a, b = a.double(), b.double()

    def kernel(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x: torch.Tensor) -> torch.Tensor:
        products = kernel(x, x)
        return (products.sum() - products.diagonal().sum()) / (len(x) * (len(x) - 1))

    return float(within(a) + within(b) - 2 * kernel(a, b).mean())
