"""Which statistics batch norm uses when a trained generator is applied.

A generator trained with batch norm at batch size 1 has learnt to be normalised by the image at hand; the running
averages it stored on the way describe no image in particular. benchmarks/README.md has the figures.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd


def _normalise_by_image(layer: _BatchNorm):
    then = [layer.drop, layer.act] if hasattr(layer, "act") else []  # timm's norms hold what follows them

    def forward(x: torch.Tensor) -> torch.Tensor:
        if x[0, 0].numel() == 1:  # a pooled image has no deviation
            x = F.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps)
        else:
            x = F.instance_norm(x, weight=layer.weight, bias=layer.bias, use_input_stats=True, eps=layer.eps)
        for module in then:
            x = module(x)
        return x

    return forward


@contextmanager
def inference(net: nn.Module, norm_stats: str, dropout: bool = False) -> Iterator[nn.Module]:
    """`net` ready to be applied, and as it was before afterwards; nothing that it stores changes.

    norm_stats: "image" normalises each image of a batch by its own mean and variance (what training at batch size 1
    did), whatever the batch size; "running" uses the stored averages (plain eval mode), which "image" leaves to norms
    that were folded away (`SmpGenerator`) or get a single value a channel.
    dropout: keep torch's dropout layers alive, as upstream's test.py does by default.
    """
    modes = {module: module.training for module in net.modules()}
    net.eval()
    kept = {*getattr(net, "folded", ())}
    patched = [m for m in modes if isinstance(m, _BatchNorm) and m not in kept] if norm_stats == "image" else []
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
