"""Elastic weight consolidation (Kirkpatrick et al. 2017, arXiv 1612.00796): weights the old tasks need are stiff.

After several tasks there is one penalty, at the latest weights, and F is the sum of the tasks' Fisher information. This
is what Huszár (2018, arXiv 1712.03847) derives where the paper adds a penalty for each task, and online EWC (Schwarz et
al. 2018, arXiv 1805.06370) without its forgetting factor.
"""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn

from models.losses import total
from models.networks.generator import Generator, generate
from models.norm_stats import inference
from util.contracts import Item

Tensors = dict[str, torch.Tensor]
Losses = Callable[[torch.Tensor, torch.Tensor], Mapping[str, torch.Tensor]]


def fisher(net: Generator, examples: Iterable[Item], losses: Losses, norm_stats: str, device: torch.device) -> Tensors:
    """The diagonal of the Fisher information of each trained parameter, by its name: the mean square of its gradient.

    The gradient is that of the sum of `losses(output, target)`, which stands for -log p(target | image), one example at
    a time, as the network is applied (`inference`). Targets are those of the examples and are not drawn from the
    network: the empirical Fisher information. ValueError: no examples.
    """
    trained = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    sums, count = {name: torch.zeros_like(parameter) for name, parameter in trained.items()}, 0
    for example in examples:
        image, target = (example[side][None].to(device) for side in ("A", "B"))
        with inference(net, norm_stats):
            loss = total(losses(generate(net, image), target).values())
        slopes = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
        for square, slope in zip(sums.values(), slopes, strict=True):
            if slope is not None:
                square += slope**2
        count += 1
    if not count:
        raise ValueError("no examples")
    return {name: square / count for name, square in sums.items()}


class Ewc:
    """The penalty weight / 2 * sum F (w - w*)^2 on a network's parameters w, whatever the images are.

    start: w*, those of --pretrained, by name. fisher: F, of the parameters that are trained.
    """

    def __init__(self, net: nn.Module, start: Tensors, fisher: Tensors, weight: float):
        parameters = dict(net.named_parameters())
        self._held = [(parameters[name], start[name], stiffness) for name, stiffness in fisher.items()]
        self._weight = weight

    def losses(self, images: torch.Tensor, fakes: torch.Tensor) -> dict[str, torch.Tensor]:
        squares = total((stiffness * (now - before) ** 2).sum() for now, before, stiffness in self._held)
        return {"G_EWC": self._weight / 2 * squares}
