"""Sound networks, tasks and train states, and how each of them is read."""

import argparse
import contextlib
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.fuzz.changes import Read, Seed, changing, either, repacking


def states(folder: Path) -> list[Seed]:
    import torch
    from safetensors.torch import save_file

    from models.donors.architecture import Architecture
    from models.donors.build import build_generator
    from models.donors.find import upstream_options
    from models.networks.define import define_G
    from options.train import TRAIN

    def reader(netG: str, norm: str) -> Read:
        opt = argparse.Namespace(**TRAIN.default_values("pix2pix", "masks"))
        opt = argparse.Namespace(**vars(opt) | {"netG": netG, "ngf": 1, "input_norm": "signed", "norm": norm})
        wanted = Architecture.of(argparse.Namespace(**vars(opt) | {"no_dropout": False, "output_nc": 1}))

        def read(path: Path) -> None:
            upstream_options(path.parent, "latest")
            build_generator(opt, "G", wanted, path)

        return read

    seeds = []
    for netG, norm in (("unet_64", "batch"), ("resnet_6blocks", "instance"), ("mobile_resnet_9blocks", "instance")):
        state = {key: value.contiguous() for key, value in define_G(3, 3, 1, netG, norm).state_dict().items()}
        path = folder / netG / "latest_net_G.pth"
        path.parent.mkdir()
        torch.save(state, path)
        (folder / f"{netG}.safetensors").parent.mkdir(exist_ok=True)
        save_file(state, folder / f"{netG}.safetensors")
        read = reader(netG, norm)
        change = either(changing(state, torch.save), repacking(path))
        seeds += [Seed(path, read, change=change), Seed(folder / f"{netG}.safetensors", read)]
    return seeds


def tasks(folder: Path) -> list[Seed]:
    import torch

    from models.networks.define import define_G
    from models.networks.generator import Generator
    from models.piggyback import METHODS
    from models.piggyback.commands import summary
    from models.piggyback.files import load_task, read_task
    from models.piggyback.inputs import Inputs
    from models.piggyback.task import Settings, attach, detach, switch
    from util.run.checkpoint import save_networks
    from util.run.safe import encoded

    def reader(net: Generator) -> Read:
        def read(path: Path) -> None:
            switch(net, None)
            file = read_task(path)
            summary(file)
            file.was_fitted()
            file.build_donor()
            switch(net, load_task(file, net))
            switch(net, None)

        return read

    seeds = []
    for method in METHODS:
        # Without norms' tensors there is half as much to read.
        net = define_G(1, 1, 1, "unet_64", "batch" if method == "norm_only" else "instance").eval()
        path = folder / method / "latest_task_G.safetensors"
        save_networks(path.parent, "latest", {"G": net})
        task = attach(net, Settings(method))
        task.donor_path = path.parent / "latest_net_G.pth"
        task.inputs = Inputs.of(torch.rand(20, 50, generator=torch.Generator().manual_seed(0)).double().numpy())
        contents = task.contents(path.parent)
        detach(net, task)
        path.write_bytes(encoded(contents))
        seeds.append(Seed(path, reader(net), change=changing(contents, _save_with_hash)))
    return seeds


def _save_with_hash(value: Any, path: Path) -> None:
    """With the right hash, or nothing behind the hash would ever be tried."""
    from util.run.checkpoint import fingerprint
    from util.run.safe import encoded

    with contextlib.suppress(Exception):  # no hash can be made of some changes
        value["header"]["sha256"] = fingerprint(value["tensors"])
    path.write_bytes(encoded(value))


def train_state(folder: Path) -> list[Seed]:
    """The state of each optimizer and schedule, as --continue_train reads it, and a step and an epoch after that."""
    import torch

    from models.optim import OPTIMIZERS
    from util.run.checkpoint import load_tensors
    from util.run.state import FILE, Progress, load_run, save_run

    seeds = []
    for optimizer, policy in zip(OPTIMIZERS, ("linear", "plateau", "step"), strict=True):
        run = _Run(optimizer, policy)
        run.go_on(Progress())
        path = folder / optimizer / FILE
        reported = {"log": run.log.state_dict(), "running": run.running.state_dict()}
        save_run(path.parent, {"G": run.net}, run.stateful, Progress(epoch=2, reported=reported))
        contents = load_tensors(path)

        def read(path: Path, kinds: tuple[str, str] = (optimizer, policy)) -> None:
            run = _Run(*kinds)
            if progress := load_run(path.parent, run.stateful):
                run.report(path, progress)
                run.go_on(progress)

        seeds.append(Seed(path, read, change=either(changing(contents, torch.save), repacking(path))))
    return seeds


@functools.cache
def _flags(optimizer: str, policy: str) -> argparse.Namespace:
    from options.base import settle
    from options.train import TRAIN

    flags = {"optimizer": optimizer, "lr_policy": policy, "n_epochs": 2, "lr_decay_iters": 1}
    return settle(argparse.Namespace(**TRAIN.default_values("pix2pix", "aligned") | flags))


class _Run:
    """A network of two layers and all that a training run saves beside it."""

    def __init__(self, optimizer: str, policy: str) -> None:
        from torch import nn

        from data.classes import Classes
        from models.averages import Average
        from models.image_pool import ImagePool
        from models.optim.optimizers import create_optimizer
        from models.optim.schedules import create_schedulers
        from util.run.log import LossLog
        from util.score.running import RunningScores

        opt = _flags(optimizer, policy)
        self.net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 1, 1))
        self.optimizers = {"G": create_optimizer(opt, self.net.parameters())}
        self.schedulers = create_schedulers(opt, self.optimizers)
        self.pool, self.average = ImagePool(2), Average(self.net, 0.9)
        self.stateful: Mapping[str, Mapping[str, Any]] = {
            "optimizers": self.optimizers,
            "schedulers": self.schedulers,
            "pools": {"B": self.pool},
            "tasks": {},
            "averages": {"G": self.average},
        }
        self.log = LossLog(None, 2)
        data: Any = argparse.Namespace(classes=Classes.load("lungs"), paired=True)
        self.running = RunningScores(data)

    def report(self, path: Path, progress: Any) -> None:
        """As util.show.report does it."""
        from util.run.state import refusing_damage

        if counted := progress.reported:
            with refusing_damage(path):
                self.log.load_state_dict(counted["log"])
                self.running.load_state_dict(counted["running"])

    def go_on(self, progress: Any) -> None:
        import torch

        from models.optim.schedules import step_schedulers

        progress.note_score(0.5)
        for _ in self.log.batches(progress.epoch, [0], 8, progress.images):
            fakes = self.net(torch.ones(2, 1, 4, 4))
            fakes.mean().backward()
            self.optimizers["G"].step()
            self.average.update()
            self.pool.query(fakes.detach())
            self.running.add({"fake_B": fakes, "real_B": fakes})
            self.log.step({"G": fakes.detach().mean()}, 2)
        step_schedulers(self.schedulers, 0.5)
        self.average.swap()
