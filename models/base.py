"""The contract of a model, and what every image translator shares."""

import argparse
import copy
from abc import ABC, abstractmethod
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Optimizer

from models.donors.architecture import completed
from models.donors.build import build_generator
from models.donors.find import find_donor
from models.image_pool import ImagePool
from models.norm_stats import inference
from models.optim.optimizers import create_optimizer, encoders
from models.piggyback import METHODS, Settings, Task, attach, load_task, materialize, read_task, switch
from models.piggyback.files import as_dependencies, check_donor, earlier_tasks
from util.errors import UserError
from util.run.checkpoint import task_path


def generate(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Apply a generator to images of any size: pad to its multiple by reflection, crop the result back.

    images: float [N, C, H, W]; returns [N, C', H, W]. Gradients flow.
    """
    height, width = images.shape[-2:]
    down, right = -height % net.multiple, -width % net.multiple
    if not (down or right):
        return net(images)
    fits = down < height and right < width
    padded = F.pad(images, (0, right, 0, down), mode="reflect" if fits else "replicate")
    return net(padded)[..., :height, :width]


def generate_with_logits(net: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As `generate`, and the logits of the foreground, of the same shape: twice what the net's last Tanh was given,
    since sigmoid(2z) = (1 + tanh z) / 2. Gradients flow through both."""
    last = [module for module in net.modules() if isinstance(module, nn.Tanh)][-1]
    given = []
    hook = last.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    try:
        fakes = generate(net, images)
    finally:
        hook.remove()
    return fakes, 2 * given[0][..., : fakes.shape[-2], : fakes.shape[-1]]


def as_logits(fakes: torch.Tensor) -> torch.Tensor:
    """The logits of the foreground of a generator's outputs in [-1, 1], of the same shape, held within +-14.5: what
    float32 has left of them after the Tanh. For reporting; training takes `generate_with_logits`."""
    return 2 * torch.atanh(fakes.clamp(-1 + 1e-6, 1 - 1e-6))


class BaseModel(ABC):
    """Networks and optimizers by name, one training step, one translation.

    networks: "G", "D" (or "G_A", ...); optimizers: by the same kind of name; pools: image histories of discriminators;
    tasks: of generators whose donor stays frozen (`--adapt`), what is trained or was; translator: the network that maps
    A to B; labels: what upstream calls its input and output; training: whether the model will train.
    Saving, scheduling, showing and distributing are done to a model from outside.
    """

    defaults: dict[str, object] = {}
    translator = "G"
    labels = ("real_A", "fake_B")

    def __init__(self, opt: argparse.Namespace, device: torch.device, training: bool):
        self.device = device
        self.training = training
        self.networks: dict[str, nn.Module] = {}
        self.optimizers: dict[str, Optimizer] = {}
        self.pools: dict[str, ImagePool] = {}
        self.tasks: dict[str, Task] = {}
        self.loaded: dict[str, Path] = {}  # generators that need no file of weights: their task's file
        self.norm_stats = opt.norm_stats
        self.notes: list[str] = []
        self.noise_seed = opt.seed if opt.stochastic else None

    @staticmethod  # noqa: B027 (a model may have no flags)
    def add_options(group: argparse._ArgumentGroup, training: bool) -> None:
        """Add the model's own flags."""

    def add_generator(self, opt: argparse.Namespace, name: str, donor: Path | None = None) -> nn.Module:
        """Build generator `name` on the device, from a donor if there is one, and note where it starts.

        donor: a generator's file, or the task file of an adapted one (`earlier_tasks`). A run that is continued or
        tested finds its donor and its task by the task file that it wrote.
        """
        saved = not self.training or opt.continue_train
        path = task_path(Path(opt.checkpoints_dir) / opt.name, opt.epoch, name)
        file = read_task(path) if saved and path.is_file() else None
        if file and self.training:
            for flag, value in file.settings.flags().items():
                if getattr(opt, flag) != value:
                    raise UserError(
                        f"--{flag} {getattr(opt, flag)}: {path} was trained with --{flag} {value}; go on "
                        "with that, or take another --name"
                    )
        earlier = earlier_tasks(donor, opt.adapt == "filter_bank" and opt.bank == "cumulative") if donor else []
        if file or earlier:
            donor = (file or earlier[-1]).find_donor()
        net, note = build_generator(opt, name, donor, saved)
        self.networks[name] = net.to(self.device)
        self.notes += [note] * bool(note)
        if file:
            self.loaded[name] = path
            if self.training or opt.task == "own":
                self._put_on(name, load_task(file, net), donor, opt)
            else:
                check_donor(file, net)
        elif donor and opt.adapt in METHODS:
            ways = Settings(opt.adapt, opt.mask_init, opt.mask_cutoff, opt.bank_fraction, opt.bank, opt.rank)
            task = attach(net, ways, [other.tensors for other in earlier])
            task.depends = as_dependencies(earlier)
            self._put_on(name, task, donor, opt)
        return net

    def donor(self, opt: argparse.Namespace) -> Path | None:
        """The file that a new run's generator starts from (`--pretrained`); None where it is given nothing."""
        if not (self.training and opt.pretrained) or opt.continue_train:
            return None
        found = find_donor(opt.pretrained, Path(opt.checkpoints_dir))
        if found.resolve().parent == (Path(opt.checkpoints_dir) / opt.name).resolve():
            raise UserError(
                f"--pretrained {opt.pretrained}: that is {opt.name} itself, whose files this training "
                "would replace; take another --name"
            )
        return found

    def _put_on(self, name: str, task: Task, donor: Path, opt: argparse.Namespace) -> None:
        """Adapt generator `name`: under a task to be trained, else with the plain weights, which are faster."""
        task.donor_path, net = donor, self.networks[name]
        task.architecture = completed(task.architecture, opt)
        self.tasks[name] = task
        self.notes.append(f"{name}: {task.describe()}")
        if self.training:
            switch(net, task)
        else:
            net.load_state_dict(materialize(net, task))

    def trainable(self, name: str) -> list[nn.Parameter]:
        """What an optimizer of network `name` gets: all of it, or its task where its donor stays frozen."""
        return self.tasks[name].parameters() if name in self.tasks else list(self.networks[name].parameters())

    def optimizer(self, opt: argparse.Namespace, *names: str) -> Optimizer:
        """One optimizer, as the flags want it, of all that is trained of these networks."""
        parameters = [parameter for name in names for parameter in self.trainable(name)]
        inside = encoders({name: self.networks[name] for name in names})
        return create_optimizer(opt, parameters, [p for encoder in inside for p in encoder.parameters()])

    @abstractmethod
    def train_step(self, batch: dict) -> dict[str, torch.Tensor]:
        """One update from a batch; the losses as detached scalars, without waiting for the device."""

    @abstractmethod
    def pictures(self) -> dict[str, torch.Tensor]:
        """The last step's images by upstream's labels: float [N, C, H, W] in [-1, 1]."""

    def describe(self, verbose: bool = False) -> str:
        """One line a network: its parameters and where it starts from; the layers too if `verbose`."""
        lines = list(self.notes)
        for name, net in self.networks.items():
            task = self.tasks.get(name)
            count = task.generator_count if task else sum(parameter.numel() for parameter in net.parameters())
            lines.append(f"[Network {name}] {count / 1e6:.3f} M parameters on {self.device}")
            lines += [str(net)] * verbose
        return "\n".join(lines)

    def loss(self, fake: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Those of `train_step`'s losses that can be told of any output and its target, float [N, C, H, W] in [-1, 1],
        alone: what validation shows beside them. Only a model that trains has losses."""
        return {}

    def companions(self, batch: dict) -> dict[str, torch.Tensor]:
        """What test.py shows besides an image's translation, by upstream's labels: float [N, C, H, W] in [-1, 1]."""
        return {}

    @torch.no_grad()
    def translate(self, images: torch.Tensor, network: str = "") -> torch.Tensor:
        """A to B: float [N, C, H, W] in [-1, 1] -> [N, C', H, W] in [-1, 1] on the model's device.

        network: the generator to apply, by default the model's translator.
        The same image gives the same result whatever else is in the batch. With `--stochastic`, dropout is alive
        and drawn from `--seed` anew for each image; the global random state stays as it was.
        """
        images = images.to(self.device, non_blocking=True)
        net = self.networks[network or self.translator]
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


def check_size(opt: argparse.Namespace, networks: dict[str, nn.Module], channels: dict[str, int]) -> None:
    """UserError where a batch of what training crops (`--patch` or `--crop_size`) is too small for a network's
    halvings. Nothing is computed. channels: of each network's input."""
    flag, size = ("--patch", opt.patch) if opt.patch else ("--crop_size", opt.crop_size)
    if opt.norm == "syncbatch" or not (opt.patch or opt.preprocess.endswith("crop")):
        return
    for name, net in networks.items():
        dry = copy.deepcopy(net).to("meta")
        images = torch.empty(opt.batch_size, channels[name], size, size, device="meta")
        try:
            with torch.no_grad():
                generate(dry, images) if hasattr(dry, "multiple") else dry(images)
        except (RuntimeError, ValueError) as error:
            raise UserError(f"{flag} {size}: too small for network {name}: {error}") from error


def set_requires_grad(net: nn.Module, value: bool) -> None:
    """Freeze or thaw all parameters of a network."""
    for parameter in net.parameters():
        parameter.requires_grad = value
