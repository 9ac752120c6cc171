"""Which statistics batch norm uses when a trained generator is applied.

A generator that was trained with batch norm at batch size 1 has learnt to be normalised by the image at hand. The
running averages that it stored on the way describe no image in particular. benchmarks/README.md has the figures.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd


def _by_image(layer: _BatchNorm, input: torch.Tensor) -> torch.Tensor:
    """The `forward` of a batch norm that normalises each image by its own mean and variance."""
    if input[0, 0].numel() == 1:  # one value for each channel, of a pooled image, has no deviation
        x = F.batch_norm(input, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps)
    else:
        x = F.instance_norm(input, weight=layer.weight, bias=layer.bias, use_input_stats=True, eps=layer.eps)
    # timm's norms contain the dropout and the activation that follow them.
    for module in [layer.get_submodule(name) for name in ("drop", "act")] if hasattr(layer, "act") else []:
        x = module(x)
    return x


def normalise_images(net: nn.Module) -> list[_BatchNorm]:
    """Let every batch norm of `net` normalise each image by itself, in training too. Returns the layers that did not.

    Norms that are folded into convolutions (`SmpGenerator`) stay as they are.
    """
    folded = {*getattr(net, "folded", ())}
    layers = [m for m in net.modules() if isinstance(m, _BatchNorm) and m not in folded and "forward" not in vars(m)]
    for layer in layers:
        layer.forward = MethodType(_by_image, layer)  # a method, so that a copy of the network has its own
    return layers


def has_averages(net: nn.Module) -> bool:
    """Whether batch norm's running averages were ever computed: training by each image's own statistics needs none."""
    norms = [(m.running_mean, m.running_var) for m in net.modules() if isinstance(m, _BatchNorm)]
    stored = [(mean, variance) for mean, variance in norms if mean is not None and variance is not None]
    return not stored or any(bool(mean.any() or (variance != 1).any()) for mean, variance in stored)


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
    patched = normalise_images(net) if norm_stats == "image" else []
    try:
        for module in modes:
            if dropout and isinstance(module, _DropoutNd):
                module.train()
        yield net
    finally:
        for layer in patched:
            del layer.forward
        for module, mode in modes.items():
            module.training = mode
