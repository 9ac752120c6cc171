"""util/flags.py has a line for every flag, and the facts fit each other."""

import argparse
import sys
from importlib import import_module

import pytest

from options.flags.of_data import OF_DATA
from options.flags.of_models import OF_MODELS
from options.test import TEST
from options.train import TRAIN
from util.flags import FLAGS, Fact, flags

MODULES = (
    "data.prepare.__main__",
    "data.download",
    "data.phantom.__main__",
    "models.piggyback.__main__",
    "models.export.__main__",
    "models.publish.__main__",
)


def of_script(script) -> set[str]:
    """The flags of train.py or test.py for all models and data sets."""
    return {name for model in OF_MODELS for mode in OF_DATA for name in script.default_values(model, mode)}


def of_parser(parser: argparse.ArgumentParser) -> set[str]:
    """The flags of a parser and of its commands."""
    names = {action.dest for action in parser._actions if action.option_strings}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            names |= {name for command in action.choices.values() for name in of_parser(command)}
    return names - {"help"}


class Built(Exception):
    """Raised where a script would parse its command line."""


def of_module(name: str, monkeypatch) -> set[str]:
    """The flags of a script whose parser is built when it runs."""

    def stop(parser, *args, **kwargs):
        raise Built(of_parser(parser))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", stop)
    monkeypatch.setattr(sys, "argv", [name])
    module = import_module(name)
    with pytest.raises(Built) as built:
        (module.parse if name.startswith("options.") else module.main)()
    return built.value.args[0]


def test_every_flag_has_a_line_and_every_line_has_a_flag(monkeypatch):
    names = of_script(TRAIN) | of_script(TEST)
    for module in (*MODULES, "options.forgetting", "options.segment"):
        names |= of_module(module, monkeypatch)
    assert names - FLAGS.keys() == set(), "add a line to util/flags.py"
    assert FLAGS.keys() - names == set(), "no script has these flags"


def test_a_run_records_only_flags_of_train_py():
    assert set(flags(Fact.RESUMED)) <= of_script(TRAIN)
    assert set(flags(Fact.TESTED)) <= of_script(TEST)


def test_whatever_changes_the_pixels_of_an_image_changes_its_map():
    """Except channels, which the network itself fixes, and the number of images. `classes` was once forgotten."""
    pixels = {*flags(Fact.READING)} - {"input_nc", "output_nc", "max_dataset_size"}
    assert pixels <= {*flags(Fact.MAP)}


def test_runs_that_see_the_same_images_read_them_alike():
    assert {*flags(Fact.SHARED)} <= {*flags(Fact.READING | Fact.IMAGES)}
