"""The commands of `python -m models.piggyback`. Each takes the parsed flags and returns the exit code."""

import argparse
from pathlib import Path

import torch

from models.donors.find import SHIPPED
from models.donors.wrappings import read_generator
from models.networks.generator import Generator
from models.norm_stats import inference
from models.piggyback.files import TaskFile, load_task, read_task
from models.piggyback.task import detach, materialize, switch
from util.errors import UserError
from util.files import read_options, write_json
from util.run.aside import TASKS
from util.run.checkpoint import fingerprint, load_tensors, network_path, task_path
from util.run.safe import SUFFIX
from util.run.together import save_together
from util.show.card import known_of


def show_list(args: argparse.Namespace) -> int:
    """Print a line for every task of --epoch."""
    folder = find_run(args) if args.run else args.checkpoints_dir
    paths = sorted(folder.rglob(f"{args.epoch}_task_*{SUFFIX}"))
    for path in paths:
        run = folder if args.run else path.parent.relative_to(args.checkpoints_dir)
        try:
            print(f"{run}  {summary(read_task(path))}")
        except UserError as error:
            print(error)
    if not paths:
        print(f"no tasks ({TASKS}) of epoch {args.epoch} under {folder}")
    return 0


def inspect(args: argparse.Namespace) -> int:
    """Print what a run's task files hold: donor, settings, and each tensor with its size."""
    for file in tasks_of(args):
        print(f"{file.path}: {summary(file)}")
        print_card(file)
        print(f"  donor {file.header['donor']['found'][-1:]} sha256 {file.header['donor']['sha256']}")
        for key, value in file.header["settings"].items():
            print(f"  {key}: {value}")
        for other in file.header["dependencies"]:
            print(f"  mixes filters of {other['found'][-1:]} sha256 {other['sha256']}")
        for name, tensor in file.tensors.items():
            size = tensor.numel() * tensor.element_size()
            print(f"  {name:<60} {str(tensor.dtype)[6:]:>8} {str(tuple(tensor.shape)):>20} {size:>10,} bytes")
    return 0


def verify(args: argparse.Namespace) -> int:
    """Prove that a run's tasks leave their donor as it was. UserError where the donor is another or missing."""
    all_hold = True
    for file in tasks_of(args):
        net = file.build_donor()
        task = load_task(file, net)
        print(f"{file.path}\n  donor {file.find_donor()}: sha256 {task.donor} the same as when the task was learnt")
        before = output(net)
        switch(net, task)
        adapted, plain = output(net), materialize(net, task)
        detach(net, task)
        proofs = {
            "donor after taking the task off: same sha256": fingerprint(net.state_dict()) == task.donor,
            "donor after taking the task off: same outputs, bit for bit": torch.equal(output(net), before),
        }
        net.load_state_dict(plain)
        proofs["plain weights: the adapted generator's outputs, bit for bit"] = torch.equal(output(net), adapted)
        for what, holds in proofs.items():
            print(f"  {what}: {'yes' if holds else 'NO'}")
        all_hold &= all(proofs.values())
    return 0 if all_hold else 1


def export(args: argparse.Namespace) -> int:
    """Write a run's generators as plain weights, and its options beside them.

    Of a CycleGAN's two generators one may not have been adapted. It is copied, since test.py needs both.
    """
    run = find_run(args)
    recorded = run / "options.json"
    options = read_options(recorded) if recorded.is_file() else None
    folder = Path(args.out) if args.out else args.checkpoints_dir / f"{run.name}_plain"
    files = tasks_of(args)
    tasks = {file.path.stem.split("_task_")[1]: file for file in files}
    if len(tasks) < len(files):
        names = ", ".join(file.path.name.split("_task_")[0] for file in files)
        raise UserError(f"{run} holds several tasks: name one of them as --epoch: {names}")
    others = {path.stem.split("_net_")[1]: path for path in sorted(run.glob(f"{args.epoch}_net_G_*.pth"))}
    if (folder / "options.json").exists():
        raise UserError(f"{folder} holds a run already: take another --out")
    for name in (*tasks, *others):
        for path in (network_path(folder, "latest", name), task_path(folder, "latest", name)):
            if path.exists():
                raise UserError(f"{path} exists already: take another --out")
    states: dict[Path, object] = {
        network_path(folder, "latest", name): load_tensors(path) for name, path in others.items()
    }
    for name, file in tasks.items():
        net = file.build_donor()
        states[network_path(folder, "latest", name)] = materialize(net, load_task(file, net))
    save_together(states)
    if options is not None:
        # The folder holds no task, and its weights do not know the donor's.
        own = {name: value for name, value in options.items() if name != "pretrained"}
        write_json(folder / "options.json", own | {"adapt": "finetune"})
    print(*states, sep="\n")
    return 0


def prune_check(args: argparse.Namespace) -> int:
    """Print which tasks of other runs need this run's files. Returns 1 if any does."""
    run = find_run(args).resolve()
    needs = []
    for path in sorted(args.checkpoints_dir.rglob(TASKS)):
        if path.parent.resolve() == run:
            continue
        try:
            file = read_task(path)
            needs += [f"{path} has its donor here"] * _has_donor_in(file, run)
            needs += [
                f"{path} mixes filters of {other.path.name}"
                for other in file.dependencies()
                if other.path.resolve().is_relative_to(run)
            ]
        except UserError as error:
            needs.append(f"cannot tell: {error}")
    print(*needs or [f"no task under {args.checkpoints_dir} needs {args.run}: it can be removed"], sep="\n")
    if needs:
        unclear = all(need.startswith("cannot tell") for need in needs)
        why = "what these tasks need is unknown" if unclear else "the tasks above would not work without it"
        print(f"keep {args.run}: {why}; delete or export those first (python -m models.piggyback export RUN)")
    return 1 if needs else 0


def _has_donor_in(file: TaskFile, run: Path) -> bool:
    """Whether a task's donor lies in a run's folder: where the task looks for it or, if it is not there, moved from
    there, as train.py --overwrite does. UserError: it is nowhere to be found."""
    wanted = file.header["donor"]["sha256"]
    try:
        found = file.find_donor()
        if fingerprint(read_generator(found)) == wanted:
            return found.resolve().is_relative_to(run)
        lost = UserError(f"{file.path}: {found} has other weights now than the donor of this task had")
    except UserError as error:
        lost = error
    if any(fingerprint(read_generator(path)) == wanted for path in sorted(run.rglob("*_net_G*.pth"))):
        return True
    raise lost


def print_card(file: TaskFile) -> None:
    """Print a task's card: what its file says, then licence and scores from the card beside it."""
    card, options = (file.header["about"].get(part) for part in ("card", "options"))
    print("  in the file:")
    for title, fact in card.items() if isinstance(card, dict) else ():
        if fact:
            print(f"    {title}: {fact}")
    if isinstance(options, dict):
        print("    Applied with:", *(f"--{name} {value}" for name, value in options.items() if value not in ("", None)))
    for whose, inputs in {"its": file.inputs, "its donor's own": file.old_inputs}.items():
        described = "not known" if inputs is None else f"known (--task auto), {len(inputs.mean)} features"
        print(f"    What {whose} images look like: {described}")
    if lines := known_of(file.path):
        print("  beside it (README.md, card.json):", *lines, sep="\n    ")


def find_run(args: argparse.Namespace) -> Path:
    """The folder of RUN. UserError where there is none."""
    for folder in (args.checkpoints_dir / args.run, Path(args.run), SHIPPED / args.run):
        if folder.is_dir():
            return folder
    raise UserError(f"{args.run}: no run under {args.checkpoints_dir} and no folder")


def tasks_of(args: argparse.Namespace) -> list[TaskFile]:
    """A run's tasks of --epoch: one, or a CycleGAN's two; or the task in a file. UserError where there is none."""
    if Path(args.run).is_file():
        return [read_task(Path(args.run))]
    folder = find_run(args)
    if old := next(folder.glob(f"{args.epoch}_task_*.pth"), None):
        read_task(old)  # says that an older version wrote it
    paths = sorted(folder.glob(f"{args.epoch}_task_*{SUFFIX}"))
    if not paths and not (folder / "options.json").is_file():  # task files of several runs, copied into one folder
        paths = sorted(folder.glob(TASKS))
    if not paths:
        raise UserError(f"{folder} holds no task of epoch {args.epoch}: it was not trained with --adapt, or not saved")
    return [read_task(path) for path in paths]


def summary(file: TaskFile) -> str:
    """A line on a task: generator, method, size (also as a share of the generator's, at 4 bytes a weight), donor."""
    header = file.header
    donor, share = Path(*header["donor"]["found"][-1:]), 4 * header["counts"]["generator"] / header["bytes"]
    name = file.path.stem.rpartition("_task_")[2]
    return (
        f"{name}  {header['method']}  {header['bytes'] / 1e6:.3f} MB (1/{share:.1f})  "
        f"on {donor.parent.name}/{donor.name}" + "  and earlier tasks" * bool(header["dependencies"])
    )


@torch.no_grad()
def output(net: Generator) -> torch.Tensor:
    """The generator's output for the same noise at every call."""
    channels = next(p.shape[1] for p in net.parameters() if p.ndim == 4)  # of the first convolution's input
    size = max(net.multiple, 64)
    noise = torch.rand(1, channels, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with inference(net, "running"):
        return net(noise)
