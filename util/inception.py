"""Features of images by a trained Inception network, from weights that the user has."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import inception_v3

from util.checkpoint import fingerprint, load_state, read_state_dict


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
