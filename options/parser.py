"""One command line out of shared flags, the model's own and the data set's own. argparse, nothing else."""

import argparse
import difflib
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from util.errors import UserError


class Parser(argparse.ArgumentParser):
    """argparse with one-line errors, `@file` with comments, no abbreviations and a suggestion for unknown flags."""

    def __init__(self, **settings):
        super().__init__(
            fromfile_prefix_chars="@",
            allow_abbrev=False,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
            **settings,
        )

    def convert_arg_line_to_args(self, arg_line: str) -> list[str]:
        return shlex.split(arg_line, comments=True)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see --help)")

    def flags(self) -> list[str]:
        return [option for action in self._actions for option in action.option_strings]

    def parse_all(self, argv: list[str]) -> argparse.Namespace:
        opt, unknown = self.parse_known_args(argv)
        if unknown:
            close = difflib.get_close_matches(unknown[0].split("=")[0], self.flags(), n=1)
            hint = f": did you mean {close[0]}?" if close else ""
            raise UserError(f"unknown flag {unknown[0]}{hint} (see --help)")
        return opt


AddOptions = Callable[[argparse.ArgumentParser], None]


def parse(
    argv: list[str] | None,
    description: str,
    add_options: list[AddOptions],
    models: dict[str, type],
    datasets: dict[str, type],
    training: bool,
    run_defaults: Callable[[argparse.Namespace], dict[str, object]] | None = None,
) -> argparse.Namespace:
    """Parse the command line in two steps: which model and data set, then every flag.

    models, datasets: the registries that `--model` and `--dataset_mode` choose from; each class brings flags
    (`add_options`) and overrides defaults (`defaults`). run_defaults: given the flags known after the first step,
    the values that a run recorded, which stand wherever the command line is silent.
    """
    argv = sys.argv[1:] if argv is None else argv
    peek = Parser(add_help=False, description=description)
    for add in add_options:
        add(peek)
    known, _ = peek.parse_known_args(argv)
    recorded = run_defaults(known) if run_defaults else {}
    peek.set_defaults(**{key: recorded[key] for key in ("model", "dataset_mode") if key in recorded})
    known, _ = peek.parse_known_args(argv)
    model = _choose(models, known.model, "--model")
    peek.set_defaults(**{key: value for key, value in model.defaults.items() if key not in recorded})
    known, _ = peek.parse_known_args(argv)
    dataset = _choose(datasets, known.dataset_mode, "--dataset_mode")

    parser = Parser(description=description)
    for add in add_options:
        add(parser)
    model.add_options(parser.add_argument_group(f"model {known.model}"), training)
    dataset.add_options(parser.add_argument_group(f"data set {known.dataset_mode}"))
    parser.set_defaults(**model.defaults)
    parser.set_defaults(**dataset.defaults)
    stated = {action.dest: parser.get_default(action.dest) for action in parser._actions if action.dest != "help"}
    parser.set_defaults(**{key: value for key, value in recorded.items() if key in stated})
    opt = parser.parse_all(argv)
    check(opt)
    opt.stated_defaults = stated
    return opt


def _choose(registry: dict[str, type], name: str, flag: str) -> type:
    if name not in registry:
        raise UserError(f"{flag} {name}: unknown; choose one of {', '.join(registry)}")
    return registry[name]


def check(opt: argparse.Namespace) -> None:
    """Refuse values that no later room could make sense of."""
    name = Path(opt.name)
    if name.is_absolute() or ".." in name.parts or not name.parts:
        raise UserError(f"--name {opt.name}: must be a plain name, without '..' or a leading '/'")
    at_least_1(opt, "batch_size", "crop_size", "ngf", "ndf", "input_nc", "output_nc", "n_layers_D", "max_dataset_size")
    if not 0 < opt.mask_threshold < 1:
        raise UserError(f"--mask_threshold {opt.mask_threshold}: must lie between 0 and 1")


def at_least_1(opt: argparse.Namespace, *flags: str) -> None:
    """Refuse counts and sizes below 1."""
    for flag in flags:
        if getattr(opt, flag) < 1:
            raise UserError(f"--{flag} {getattr(opt, flag)}: must be at least 1")


def as_text(opt: argparse.Namespace) -> str:
    """The options as upstream prints and stores them, with the default where a value differs from it."""
    lines = ["----------------- Options ---------------"]
    for key, value in sorted(as_dict(opt).items()):
        default = opt.stated_defaults.get(key)
        comment = f"\t[default: {default}]" if value != default else ""
        lines.append(f"{key:>25}: {value!s:<30}{comment}")
    return "\n".join([*lines, "----------------- End -------------------"])


def as_dict(opt: argparse.Namespace) -> dict[str, object]:
    """The flags' values, ready for JSON."""
    return {key: value for key, value in vars(opt).items() if key != "stated_defaults"}


def read_options(path: Path) -> dict[str, object]:
    """A run's options.json."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: damaged ({error}); delete it and give the flags by hand") from error
