"""One command line out of shared flags, the model's own and the data set's own. argparse, nothing else."""

import argparse
import difflib
import math
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

    def parse_all(self, argv: list[str], elsewhere: dict[str, str]) -> argparse.Namespace:
        """Parse everything. elsewhere: flags that exist under other circumstances, to say so."""
        opt, unknown = self.parse_known_args(argv)
        if unknown:
            flag = unknown[0].split("=")[0]
            close = difflib.get_close_matches(flag, [*self.flags(), *elsewhere], n=1, cutoff=0.75)
            owner = f" of {elsewhere[close[0]]}" if close and close[0] in elsewhere else ""
            hint = f": did you mean {close[0]}{owner}?" if close else ""
            hint = f": it belongs to {elsewhere[flag]}" if flag in elsewhere else hint
            raise UserError(f"unknown flag {unknown[0]}{hint} (see --help)")
        return opt

    def parse_known_args(self, args=None, namespace=None):
        try:
            return super().parse_known_args(args, namespace)
        except (ValueError, RecursionError) as error:
            raise UserError(f"a file given as @FILE cannot be read as flags: {error}") from error


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
    name = known.model or recorded.get("model") or _suiting(datasets, known.dataset_mode, training)
    model = _choose(models, name, "--model")
    if name != recorded.get("model"):  # other networks on the run's weights: the run's way of reading data may not suit
        recorded = {key: value for key, value in recorded.items() if key not in model.defaults}
    mode = known.dataset_mode or recorded.get("dataset_mode") or model.defaults["dataset_mode"]
    dataset = _choose(datasets, mode, "--dataset_mode")

    parser = Parser(description=description)
    for add in add_options:
        add(parser)
    model.add_options(parser.add_argument_group(f"model {name}"), training)
    dataset.add_options(parser.add_argument_group(f"data set {mode}"))
    actions = {action.dest: action for action in parser._actions if action.dest != "help"}
    for defaults in (model.defaults, dataset.defaults):
        parser.set_defaults(**{key: value for key, value in defaults.items() if key in actions})
    parser.set_defaults(model=name, dataset_mode=mode)
    stated = {key: parser.get_default(key) for key in actions}
    for key, value in recorded.items():
        if key in actions and isinstance(value, str):
            try:
                parser._get_values(actions[key], [value])
            except argparse.ArgumentError as error:
                raise UserError(f"options.json of {known.name}: {error}") from error
    parser.set_defaults(**{key: value for key, value in recorded.items() if key in stated})
    opt = parser.parse_all(argv, _flags_of_others(models, datasets, training))
    derived = {"name": with_suffix(opt)}
    if opt.load_iter:
        derived["epoch"] = f"iter_{opt.load_iter}"
    opt = argparse.Namespace(**vars(opt) | derived | {"stated_defaults": stated})
    check(opt)
    return opt


def _suiting(datasets: dict[str, type], mode: str | None, training: bool) -> str:
    """The --model that a command line without the flag means."""
    if mode is None:
        return "cycle_gan" if training else "test"
    model = _choose(datasets, mode, "--dataset_mode").model
    return "cycle_gan" if training and model == "test" else model


def with_suffix(opt: argparse.Namespace) -> str:
    """The run's name: --name and what --suffix adds."""
    try:
        return "_".join(filter(None, (opt.name, opt.suffix.format(**vars(opt)))))
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UserError(f"--suffix {opt.suffix}: {error} is no flag's name in braces") from error


def _flags_of_others(models: dict[str, type], datasets: dict[str, type], training: bool) -> dict[str, str]:
    """Every model's and data set's own flags, with the choice that brings them."""
    found: dict[str, str] = {}
    for flag, registry, extra in (("--model", models, (training,)), ("--dataset_mode", datasets, ())):
        for name, chosen in registry.items():
            parser = Parser(add_help=False)
            chosen.add_options(parser.add_argument_group(name), *extra)
            found |= {option: f"{flag} {name}" for option in parser.flags()}
    return found


def _choose(registry: dict[str, type], name: str, flag: str) -> type:
    if name not in registry:
        raise UserError(f"{flag} {name}: unknown; choose one of {', '.join(registry)}")
    return registry[name]


def check(opt: argparse.Namespace) -> None:
    """Refuse values that no later room could make sense of."""
    name = Path(opt.name)
    if name.is_absolute() or ".." in name.parts or not name.parts:
        raise UserError(f"--name {opt.name}: must be a plain name, without '..' or a leading '/'")
    if "," in opt.name:
        raise UserError(f"--name {opt.name}: commas are for the runs of an ensemble, in test.py only")
    for flag in ("phase", "epoch"):
        if any(part in getattr(opt, flag) for part in ("/", "\\", "..")):
            raise UserError(f"--{flag} {getattr(opt, flag)}: must be a plain word, without '/' or '..'")
    for flag, value in vars(opt).items():
        if isinstance(value, float) and math.isnan(value):
            raise UserError(f"--{flag} nan: must be a number")
        if flag.startswith(("lambda_", "instance_noise")) and value < 0:
            raise UserError(f"--{flag} {value:g}: must be 0 or more")


def as_text(opt: argparse.Namespace) -> str:
    """The options as upstream prints and stores them, with the default where a value differs from it."""
    lines = ["----------------- Options ---------------"]
    for key, value in sorted(as_dict(opt).items()):
        default = opt.stated_defaults.get(key)
        comment = f"\t[default: {default}]" if value != default else ""
        lines.append(f"{key:>25}: {value!s:<30}{comment}")
    return "\n".join([*lines, "----------------- End -------------------"])


def as_dict(opt: argparse.Namespace) -> dict[str, object]:
    """The flags' values, ready for JSON, which knows no infinity: flags without a limit are left out."""
    return {key: value for key, value in vars(opt).items() if key != "stated_defaults" and value != math.inf}
