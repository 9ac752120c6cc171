"""What all generators have in common, and how one is applied to images of any size."""

import torch
import torch.nn.functional as F
from torch import nn


class Generator(nn.Module):
    """A network that turns images into images: float [N, C, H, W] in [-1, 1] to float [N, C', H, W] in [-1, 1].

    Its last layer is a Tanh. multiple: H and W must be divisible by it (`generate` pads images that are not).
    input_norm: scales the images before the first layer, where `add_input_norm` put one.
    """

    multiple: int
    input_norm: nn.Module


def generate(net: Generator, images: torch.Tensor) -> torch.Tensor:
    """Apply a generator to images of any size: pad by reflection to a size it can take, crop the result back.

    images: float [N, C, H, W]. Returns [N, C', H, W]. Gradients flow.
    """
    height, width = images.shape[-2:]
    down, right = -height % net.multiple, -width % net.multiple
    if not (down or right):
        return net(images)
    # torch reflects less than a whole image. Smaller images repeat their edge instead.
    fits = down < height and right < width
    padded = F.pad(images, (0, right, 0, down), mode="reflect" if fits else "replicate")
    return net(padded)[..., :height, :width]


def generate_with_logits(net: Generator, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As `generate`, and also the logits of the foreground, of the same shape. Gradients flow through both.

    A generator's output y in [-1, 1] stands for the probability (1 + y) / 2. Since sigmoid(2z) = (1 + tanh z) / 2, the
    logit of that probability is twice the input z of the last Tanh. It is read there and not computed from the output,
    because a loss on the logit still has a slope where the Tanh is saturated.
    """
    last = [module for module in net.modules() if isinstance(module, nn.Tanh)][-1]
    inputs_of_tanh = []
    hook = last.register_forward_pre_hook(lambda _, inputs: inputs_of_tanh.append(inputs[0]))
    try:
        fakes = generate(net, images)
    finally:
        hook.remove()
    return fakes, 2 * inputs_of_tanh[0][..., : fakes.shape[-2], : fakes.shape[-1]].float()  # bfloat16 with --amp


def as_logits(fakes: torch.Tensor) -> torch.Tensor:
    """The logits of the foreground, computed from a generator's outputs in [-1, 1]; of the same shape.

    They stay within +-14.5, because float32 holds no more of them after the Tanh. This is for reports. Training uses
    `generate_with_logits`.
    """
    return 2 * torch.atanh(fakes.clamp(-1 + 1e-6, 1 - 1e-6))
