"""Which statistics batch norm uses when a trained generator is applied.

A generator that was trained with batch norm at batch size 1 has learnt to be normalised by the image at hand. The
running averages that it stored on the way describe no image in particular. benchmarks/README.md has the figures.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd


def _normalise_by_image(layer: _BatchNorm):
    """A `forward` for a batch norm that normalises each image by its own mean and variance."""
    # timm's norms contain the dropout and the activation that follow them.
    following = [layer.get_submodule(name) for name in ("drop", "act")] if hasattr(layer, "act") else []

    def forward(input: torch.Tensor) -> torch.Tensor:
        if input[0, 0].numel() == 1:  # one value for each channel, of a pooled image, has no deviation
            x = F.batch_norm(input, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps)
        else:
            x = F.instance_norm(input, weight=layer.weight, bias=layer.bias, use_input_stats=True, eps=layer.eps)
        for module in following:
            x = module(x)
        return x

    return forward


@contextmanager
def inference(net: nn.Module, norm_stats: str, dropout: bool = False) -> Iterator[nn.Module]:
    """Make `net` ready to be applied inside the `with` block. Nothing that it stores changes.

    norm_stats: "image" normalises each image of a batch by its own mean and variance, as training at batch size 1 did.
    Two kinds of norms still use stored statistics then: those folded into convolutions (`SmpGenerator`), and those that
    get a single value for each channel. "running" uses the stored averages everywhere (plain eval mode).
    dropout: keep torch's dropout layers on, as upstream's test.py does by default.
    """
    modes = {module: module.training for module in net.modules()}
    net.eval()
    folded = {*getattr(net, "folded", ())}
    patched = [m for m in modes if isinstance(m, _BatchNorm) and m not in folded] if norm_stats == "image" else []
    try:
        for layer in patched:
            layer.forward = _normalise_by_image(layer)
        for module in modes:
            if dropout and isinstance(module, _DropoutNd):
                module.train()
        yield net
    finally:
        for layer in patched:
            del layer.forward
        for module, mode in modes.items():
            module.training = mode
