"""Small generators of every kind, trained a little under a task."""

import torch
from torch import nn

from models.networks.define import define_G
from models.norm_stats import inference
from models.piggyback import METHODS
from models.piggyback.task import Settings, Task

NETS = {"unet_64": "batch", "unet_small": "batch", "resnet_6blocks": "instance", "mobile_resnet_9blocks": "instance"}


def donor(netG: str = "unet_64", seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return define_G(3, 3, 4, netG, NETS[netG], dropout=False)


def image(seed: int = 1) -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@torch.no_grad()
def output(net: nn.Module, norm_stats: str = "running") -> torch.Tensor:
    with inference(net, norm_stats):
        return net(image())


def learn(net: nn.Module, task: Task, steps: int = 2, lr: float = 0.02) -> None:
    net.train()
    optimizer = torch.optim.Adam(task.parameters(), lr=lr)
    for step in range(steps):
        optimizer.zero_grad()
        net(image(step)).mean().backward()
        optimizer.step()


def all_settings() -> list[Settings]:
    return [Settings(method, rank=2) for method in METHODS]
