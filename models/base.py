"""What every model is: networks and optimizers by name, one training step, one translation."""

import argparse
import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from torch import nn
from torch.optim import Optimizer

from models.donors.architecture import Architecture, completed
from models.donors.build import build_generator
from models.donors.find import find_donor
from models.image_pool import ImagePool
from models.networks.generator import Generator, generate, generate_with_logits
from models.norm_stats import inference
from models.optim.optimizers import create_optimizer, encoders
from models.piggyback import METHODS
from models.piggyback.files import (
    TaskFile,
    as_dependencies,
    check_donor,
    earlier_tasks,
    load_task,
    read_task,
    saved_task,
)
from models.piggyback.task import Settings, Task, attach, materialize, switch
from models.teacher import SURE, Lesson
from util import distributed
from util.contracts import Averages, Batch, Rival
from util.errors import UserError


class BaseModel(ABC):
    """Networks and optimizers by name, one training step, one translation.

    networks: "G", "D" (or "G_A", ...). optimizers: by the same kind of name. pools: image histories of discriminators.
    tasks: of generators that are adapted beside a frozen donor (`--adapt`). translator: name of the network that maps A
    to B. labels: upstream's names for its input and output. training: whether the model will train. images: the last
    step's, by upstream's labels. loaded: task files of generators, which need no file of weights. averages: of the
    generators' weights, in training; images without targets are taught by them (`lesson`). rival: what holds the
    translator to its old task in training (`--adapt ewc`).

    Saving, scheduling, showing and distributing are done to a model from outside.
    """

    translator = "G"
    labels = ("real_A", "fake_B")

    def __init__(self, opt: argparse.Namespace, device: torch.device, training: bool):
        self.device = device
        self.training = training
        self.networks: dict[str, nn.Module] = {}
        self.optimizers: dict[str, Optimizer] = {}
        self.pools: dict[str, ImagePool] = {}
        self.tasks: dict[str, Task] = {}
        self.images: dict[str, torch.Tensor] = {}
        self.loaded: dict[str, Path] = {}
        self.norm_stats = opt.norm_stats
        self.notes: list[str] = []
        self.noise_seed: int | None = opt.seed if opt.stochastic else None
        self.averages: Averages | None = None
        self.rival: Rival | None = None

    def add_generator(
        self, opt: argparse.Namespace, name: str, donor: Path | None = None, backwards: bool = False
    ) -> Generator:
        """Build generator `name` on the device, start it from a donor if there is one, and note where it starts.

        donor: the file of a generator, or the task file of an adapted one (`earlier_tasks`). backwards: the generator
        maps B to A. A run that is continued or tested finds its donor and its task through the task file it wrote.
        """
        wanted = Architecture.of(opt, backwards)
        saved = not self.training or opt.continue_train
        file = self._saved_task(opt, name) if saved else None
        earlier = earlier_tasks(donor, opt.adapt == "filter_bank" and opt.bank == "cumulative") if donor else []
        if file or earlier:
            donor = (file or earlier[-1]).find_donor()
        net, note = build_generator(opt, name, wanted, donor, saved)
        self.networks[name] = net.to(self.device)
        self.notes += [note] * bool(note)
        task = None
        if file:
            self.loaded[name] = file.path
            if self.training or opt.task != "base":
                task = load_task(file, net)
            else:
                check_donor(file, net)
        elif donor and opt.adapt in METHODS:
            task = _new_task(opt, net, earlier)
        if task:
            task.donor_path, task.architecture = donor, completed(task.architecture, wanted)
            self._put_on(name, net, task, opt.task if not self.training else "")
        return net

    def generator(self, name: str) -> Generator:
        """The network of that name, which must be a generator ("G", "G_A" or "G_B")."""
        return cast(Generator, self.networks[name])

    def donor(self, opt: argparse.Namespace) -> Path | None:
        """The file that a new run's generator starts from (`--pretrained`); None for random weights."""
        if not (self.training and opt.pretrained) or opt.continue_train:
            return None
        path = find_donor(opt.pretrained, Path(opt.checkpoints_dir))
        if path.resolve().parent == (Path(opt.checkpoints_dir) / opt.name).resolve():
            raise UserError(
                f"--pretrained {opt.pretrained}: that is {opt.name} itself, whose files this training "
                "would replace; take another --name"
            )
        return path

    def _saved_task(self, opt: argparse.Namespace, name: str) -> TaskFile | None:
        """The task file that the run wrote for generator `name`; None where it wrote none.

        UserError where training would continue with other flags than the task began with.
        """
        path = saved_task(Path(opt.checkpoints_dir) / opt.name, opt.epoch, name)
        if path is None:
            return None
        file = read_task(path)
        for flag, value in file.settings.flags().items() if self.training else ():
            if getattr(opt, flag) != value:
                raise UserError(
                    f"--{flag} {getattr(opt, flag)}: {path} was trained with --{flag} {value}; go on "
                    "with that, or take another --name"
                )
        return file

    def _put_on(self, name: str, net: Generator, task: Task, applied: str) -> None:
        """Adapt generator `name`. A model that only translates gets plain weights, which are faster than a task.

        applied: --task. With auto the donor stays, and each image gets its task (`models.apply.choosing`).
        """
        self.tasks[name] = task
        self.notes.append(f"{name}: {task.describe()}")
        if self.training:
            switch(net, task)
        elif applied == "own" or name != self.translator:
            net.load_state_dict(materialize(net, task))

    def trainable(self, name: str) -> list[nn.Parameter]:
        """The parameters of network `name` that an optimizer gets: all, or only its task's if its donor is frozen."""
        return self.tasks[name].parameters() if name in self.tasks else list(self.networks[name].parameters())

    def optimizer(self, opt: argparse.Namespace, *names: str) -> Optimizer:
        """One optimizer, made by the flags, of everything that is trained in these networks."""
        parameters = [parameter for name in names for parameter in self.trainable(name)]
        inside = encoders({name: self.networks[name] for name in names}).values()
        return create_optimizer(opt, parameters, [p for encoder in inside for p in encoder.parameters()])

    def lesson(self, batch: Batch) -> Lesson | None:
        """What the translator can learn from the batch's images without targets; None if it has none.

        Call it before the other translations of a step: the averages stand in the weights' place for a moment, and no
        gradient that is still to be computed may depend on these.
        """
        if "U" not in batch or "U_changed" not in batch or self.averages is None:
            return None
        images = batch["U"].to(self.device, non_blocking=True)
        with self.averages.in_place():
            if self.norm_stats == "running":  # each process has averages of its own, and only the first one's are saved
                distributed.share_buffers(self.networks[self.translator])
            taught = self.translate(images)
        changed = batch["U_changed"].to(self.device, non_blocking=True)
        fake, logits = generate_with_logits(self.generator(self.translator), changed)
        return Lesson(images, fake, logits, torch.where(taught > 0, 1.0, -1.0), taught.abs() > SURE)

    @abstractmethod
    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Update the networks once. Returns the losses, and how often discriminators were right (acc_D_real, ...), as
        detached scalars on the device, which is not waited for."""

    def pictures(self) -> dict[str, torch.Tensor]:
        """The last step's images by upstream's labels: float [N, C, H, W] in [-1, 1]. {} before the first step."""
        return self.images

    def describe(self, verbose: bool = False) -> str:
        """Where the generators start from, and a line for each network; its layers too if `verbose`."""
        lines = list(self.notes)
        for name, net in self.networks.items():
            task = self.tasks.get(name)
            count = task.generator_count if task else sum(parameter.numel() for parameter in net.parameters())
            lines.append(f"[Network {name}] {count / 1e6:.3f} M parameters on {self.device}")
            lines += [str(net)] * verbose
        return "\n".join(lines)

    def loss(self, fake: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """The losses of `train_step` that need only an output and its target, float [N, C, H, W] in [-1, 1].

        Validation reports them under the same names. Only a model that trains has losses.
        """
        return {}

    def companions(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Further pictures for test.py's page, by upstream's labels: float [N, C, H, W] in [-1, 1]."""
        return {}

    @torch.no_grad()
    def translate(self, images: torch.Tensor, network: str = "") -> torch.Tensor:
        """A to B: float [N, C, H, W] in [-1, 1] -> [N, C', H, W] in [-1, 1] on the model's device.

        network: the generator to apply, by default the model's translator. An image's result does not depend on the
        other images of the batch. With `--stochastic`, dropout stays on, and its draws begin at `--seed` for each
        image. The global random state does not change.
        """
        images = images.to(self.device, non_blocking=True)
        net = self.generator(network or self.translator)
        with inference(net, self.norm_stats, dropout=self.noise_seed is not None):
            if self.noise_seed is None:
                return generate(net, images)
            devices = [self.device] if self.device.type == "cuda" else []
            results = []
            for image in images.split(1):
                with torch.random.fork_rng(devices):
                    torch.manual_seed(self.noise_seed)
                    results.append(generate(net, image))
            return torch.cat(results)


def _new_task(opt: argparse.Namespace, net: Generator, earlier: Sequence[TaskFile]) -> Task:
    """A new task on a donor. earlier: tasks whose filters its bank also mixes (`--bank cumulative`)."""
    task = attach(net, Settings.of(opt), [file.tensors for file in earlier])
    task.depends = as_dependencies(earlier)
    return task


def check_size(opt: argparse.Namespace, networks: dict[str, nn.Module], channels: dict[str, int]) -> None:
    """UserError where the crops of training (`--patch` or `--crop_size`) are too small for a network's halvings.

    channels: input channels of each network. The networks run on the meta device, which computes only shapes.
    """
    flag, size = ("--patch", opt.patch) if opt.patch else ("--crop_size", opt.crop_size)
    if opt.norm == "syncbatch" or not (opt.patch or opt.preprocess.endswith("crop")):
        return
    for name, net in networks.items():
        dry = copy.deepcopy(net).to("meta")
        images = torch.empty(opt.batch_size, channels[name], size, size, device="meta")
        try:
            with torch.no_grad():
                generate(dry, images) if isinstance(dry, Generator) else dry(images)
        except (RuntimeError, ValueError) as error:
            raise UserError(f"{flag} {size}: too small for network {name}: {error}") from error
