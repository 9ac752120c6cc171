"""The command lines of train.py and test.py: parsed once into what was typed, then resolved into options.

A flag's value comes from the command line, or else from what a run recorded, or else from the defaults of the data set,
of the model, of the script, or of the flag itself.
"""

import argparse
import math
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from options.complete.donor import flags_of_donor
from options.complete.former import CHOICES
from options.complete.help import ALL, Section, full_help, help_on, short_help
from options.complete.names import default_name
from options.flags.of_data import OF_DATA
from options.flags.of_models import OF_MODELS, ModelFlags
from options.parser import Parser, Values, checked
from util.errors import UserError

Entry = TypeVar("Entry")

AddOptions = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True)
class Script:
    """The flags of train.py or of test.py: shared ones, the model's own and the data set's own.

    add_options: add the shared flags. training: whether the script trains. read_run: given the shared flags, the values
    that a run recorded. defaults: the script's own, for flags that other scripts have too. examples, needed: what
    --help shows: commands, and the names of the flags that one needs.
    """

    description: str
    add_options: tuple[AddOptions, ...]
    training: bool
    read_run: Callable[[argparse.Namespace], Values]
    defaults: Values = field(default_factory=dict)
    examples: str = ""
    needed: Sequence[str] = ()

    def typed(self, argv: list[str] | None = None) -> dict[str, object]:
        """The flags that were typed, by name. `--help` prints the help and ends the program. UserError: unknown flags,
        values that a flag cannot have."""
        parser = self.all_flags()
        for action in parser.actions().values():
            action.default = argparse.SUPPRESS
        parser.add_argument("-h", "--help", nargs="?", const="", default=argparse.SUPPRESS)
        typed = vars(parser.parse_all(argv, self._owners()))
        if "help" in typed:
            print(self._help(typed.pop("help"), typed))
            sys.exit(0)
        return typed

    def resolve(self, typed: Values) -> argparse.Namespace:
        """All flags, where `typed` gives some of them. UserError: flags of another model or data set, values that no
        script could use."""
        recorded = self._recorded(typed)
        model, mode = self._model_and_data(typed, recorded)
        parser = self._parser(model, mode)
        self._refuse_flags_of_others(typed, parser)
        defaults = parser.defaults()
        recorded = {name: value for name, value in _suiting(model, recorded).items() if name in defaults}
        given = recorded | dict(typed)
        if self.training and given.get("pretrained") and not given.get("continue_train"):
            defaults |= self._of_donor(str(given["pretrained"]), defaults | given, parser)
        opt = argparse.Namespace(**defaults | given | {"model": model, "dataset_mode": mode})
        opt = argparse.Namespace(**vars(opt) | {"name": opt.name or default_name(opt)})
        derived = {"name": with_suffix(opt)} | ({"epoch": f"iter_{opt.load_iter}"} if opt.load_iter else {})
        opt = argparse.Namespace(**vars(opt) | derived)
        check(opt)
        _check_classes(opt, typed)
        return opt

    def _of_donor(self, name: str, values: Values, parser: Parser) -> Values:
        """The network flags of the donor that --pretrained names."""
        flags = flags_of_donor(name, Path(str(values["checkpoints_dir"])), values)
        return checked(flags, parser, f"--pretrained {name}, options.json")

    def default_values(self, model: str, mode: str) -> dict[str, object]:
        """The flags that this model and data set have, with their defaults."""
        return self._parser(model, mode).defaults()

    def as_text(self, opt: argparse.Namespace) -> str:
        """The options as upstream prints and stores them, with the default where a value differs from it."""
        defaults = self.default_values(opt.model, opt.dataset_mode)
        lines = ["----------------- Options ---------------"]
        for key, value in sorted(as_dict(opt).items()):
            default = defaults.get(key)
            comment = f"\t[default: {default}]" if value != default else ""
            lines.append(f"{key:>25}: {value!s:<30}{comment}")
        return "\n".join([*lines, "----------------- End -------------------"])

    def changes(self, opt: argparse.Namespace, following: Values) -> str:
        """The flags that differ from their defaults, as they would be typed. following: defaults that follow from other
        flags."""
        defaults = self.default_values(opt.model, opt.dataset_mode) | dict(following)
        differing = {key: value for key, value in sorted(vars(opt).items()) if value != defaults.get(key)}
        return " ".join(f"--{key}" if x is True else f"--{key} {shlex.quote(str(x))}" for key, x in differing.items())

    def _add_shared(self, parser: Parser) -> None:
        """The flags of every model and data set, with this script's defaults."""
        for add in self.add_options:
            add(parser)
        for name, action in parser.actions().items():
            action.default = self.defaults.get(name, action.default)

    def _parser(self, model: str, mode: str) -> Parser:
        """A parser of all flags that this model and data set have, with their defaults."""
        parser = Parser(description=self.description)
        self._add_shared(parser)
        of_model, of_data = OF_MODELS[model], OF_DATA[mode]
        of_model.add(parser.add_argument_group(f"model {model}"), self.training)
        of_data.add(parser.add_argument_group(f"data set {mode}"))
        for defaults in (of_model.defaults, of_data.defaults, {"model": model, "dataset_mode": mode}):
            for name, action in parser.actions().items():
                action.default = defaults.get(name, action.default)
        return parser

    def _help(self, word: str, typed: Values) -> str:
        """What `--help word` prints. With --model, --dataset_mode or --name: all flags, with the defaults of these."""
        prog = Path(sys.argv[0]).name
        if word not in ("", ALL):
            return help_on(word, prog, self._sections())
        if not typed.keys() & {"model", "dataset_mode", "name"}:
            if word == ALL:
                return full_help(prog, self.description, self.examples, self._sections())
            actions = self.all_flags().actions()
            return short_help(prog, self.description, self.examples, [actions[name] for name in self.needed])
        first = str(typed.get("name", "")).partition(",")[0]  # of an ensemble, the run that decides how data is read
        typed = {**typed, "name": first} if first else typed
        recorded = self._recorded(typed)
        model, mode = self._model_and_data(typed, recorded)
        parser = self._parser(model, mode)
        parser.set_defaults(**{name: x for name, x in _suiting(model, recorded).items() if name in parser.actions()})
        return full_help(prog, self.description, self.examples, _groups(parser))

    def _sections(self) -> list[Section]:
        """Every flag, group by group: the shared ones, then those of each model and data set."""
        shared = Parser(add_help=False)
        self._add_shared(shared)
        sections = _groups(shared)
        for choice, add in self._choices():
            own = Parser(add_help=False)
            add(own.add_argument_group(f"only with {choice}"))
            sections += _groups(own)
        return sections

    def _recorded(self, typed: Values) -> Values:
        """What the run that `typed` names recorded, as far as this script reads it."""
        parser = Parser(add_help=False)
        self._add_shared(parser)
        return self.read_run(argparse.Namespace(**parser.defaults() | dict(typed)))

    def _model_and_data(self, typed: Values, recorded: Values) -> tuple[str, str]:
        """--model and --dataset_mode. If only one of them is given, the other suits it. A folder of images and one of
        masks to train on need neither."""
        mode, dataroot = typed.get("dataset_mode"), str(typed.get("dataroot") or "")
        drawn = recorded.get("dataset_mode") == "phantom"  # a folder that is named now replaces drawn images
        if not mode and (drawn or (self.training and not recorded)) and holds_masks(dataroot):
            mode = "masks"
        model = typed.get("model") or recorded.get("model")
        if not model:
            model = _choose(OF_DATA, mode, "--dataset_mode").model if mode else "test"
            # Upstream trains a CycleGAN by default, and `test` cannot be trained.
            model = "cycle_gan" if self.training and model == "test" else model
        of_model: ModelFlags = _choose(OF_MODELS, model, "--model")
        if not (drawn and dataroot):
            mode = mode or _suiting(str(model), recorded).get("dataset_mode")
        mode = mode or of_model.dataset_mode
        _choose(OF_DATA, mode, "--dataset_mode")
        return str(model), str(mode)

    def _choices(self) -> list[tuple[str, Callable[[argparse._ArgumentGroup], None]]]:
        """Each model and each data set as a choice on the command line, with what adds its flags."""
        add_flags = "add_training" if self.training else "add_testing"
        models = [(f"--model {name}", getattr(flags, add_flags)) for name, flags in OF_MODELS.items()]
        return models + [(f"--dataset_mode {name}", flags.add) for name, flags in OF_DATA.items()]

    def all_flags(self) -> Parser:
        """A parser of the flags of every model and data set."""
        parser = Parser(add_help=False, conflict_handler="resolve")
        self._add_shared(parser)
        for _, add in self._choices():
            add(parser.add_argument_group())
        return parser

    def _owners(self) -> dict[str, str]:
        """Every flag that not all models and data sets have, such as --source, to the choice that brings it."""
        owners = {}
        for choice, add in self._choices():
            parser = Parser(add_help=False)
            add(parser.add_argument_group())
            owners |= {f"--{name}": choice for name in parser.actions()}
        return owners

    def _refuse_flags_of_others(self, typed: Values, parser: Parser) -> None:
        owners = self._owners()
        for name in typed:
            if name not in parser.actions():
                raise UserError(f"unknown flag --{name}: it belongs to {owners[f'--{name}']} (see --help)")


def holds_masks(dataroot: str) -> bool:
    """Whether --dataroot has the layout of --dataset_mode masks, perhaps under the names that others give it."""
    if not dataroot:
        return False
    from data.read.folders import likely_folders  # with PIL, which most command lines do not need

    root = Path(dataroot)
    return (root / "splits.csv").is_file() or all(likely_folders(root))


def _groups(parser: Parser) -> list[Section]:
    """A parser's flags by their groups, without groups that have none, and without --help itself."""
    groups = ((group.title or "", group._group_actions) for group in parser._action_groups)
    own = [(title, [action for action in actions if action.dest != "help"]) for title, actions in groups]
    return [(title, actions) for title, actions in own if actions]


def _suiting(model: str, recorded: Values) -> Values:
    """What a run recorded, without the defaults of a --model that is not the run's: its way to read data may not suit
    another model on the same weights."""
    if model == recorded.get("model"):
        return recorded
    return {name: x for name, x in recorded.items() if name not in (*OF_MODELS[model].defaults, "dataset_mode")}


def _choose(registry: Mapping[str, Entry], name: object, flag: str) -> Entry:
    if name not in registry and name in CHOICES:
        raise UserError(f"{flag} {name}: {CHOICES[str(name)]}; choose one of {', '.join(registry)}")
    if name not in registry:
        raise UserError(f"{flag} {name}: unknown; choose one of {', '.join(registry)}")
    return registry[str(name)]


def with_suffix(opt: argparse.Namespace) -> str:
    """The run's name: --name and what --suffix adds."""
    try:
        return "_".join(filter(None, (opt.name, opt.suffix.format(**vars(opt)))))
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UserError(f"--suffix {opt.suffix}: {error} is no flag's name in braces") from error


def check(opt: argparse.Namespace) -> None:
    """UserError for values that nothing further on could use."""
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


def _check_classes(opt: argparse.Namespace, typed: Values) -> None:
    """UserError for flags that make no sense for masks of these --classes. typed: what a run has recorded is for its
    own task, and may be tested on the donor's."""
    cleaning = [flag for flag in ("within", "fill_holes", "min_area", "keep_largest") if typed.get(flag)]
    cleaning += ["mask_threshold"] * (typed.get("mask_threshold", 0.5) != 0.5)
    mirrored, named = getattr(opt, "tta", False), typed.get("classes")
    if not opt.classes or not (cleaning or mirrored or named):
        return
    from data.classes import Classes  # with torch

    classes = Classes.load(opt.classes)
    if named and classes.binary and (second := classes.names[1]).casefold() == "background":
        raise UserError(f"--classes {named}: the first of two classes is the background; put {second} first")
    if mirrored and classes.sided:
        sided = " and ".join(classes.sided)
        raise UserError(f"--tta: in a mirror image {sided} would be the wrong class; leave it out")
    if cleaning and not classes.binary:
        raise UserError(f"--{cleaning[0]}: acts on masks of two classes, and these have {len(classes)}; leave it out")


def as_dict(opt: argparse.Namespace) -> dict[str, object]:
    """The flags' values, ready for JSON, which has no infinity: flags without a limit are left out."""
    return {key: value for key, value in vars(opt).items() if value != math.inf}
