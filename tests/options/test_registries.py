"""Registries map what a flag may be to what it stands for; the flags offer just these choices."""

from pkgutil import resolve_name

import pytest

from data import DATASETS
from data.phantom import KINDS
from models import GAN_LOSSES, MODELS, SEG_LOSSES
from models.networks import DISCRIMINATORS, GENERATORS, INITS, INPUT_NORMS, NORMS, UNETS
from models.optim import LR_POLICIES, OPTIMIZERS
from models.piggyback import METHODS
from models.piggyback.__main__ import COMMANDS
from models.rivals import RIVALS
from options.flags.of_data import OF_DATA
from options.flags.of_models import OF_MODELS
from options.flags.of_training import add_train_options
from options.parser import Parser

REGISTRIES = (
    *(MODELS, GAN_LOSSES, SEG_LOSSES, DATASETS, OPTIMIZERS, LR_POLICIES, COMMANDS),
    *(GENERATORS, UNETS, DISCRIMINATORS, NORMS, INITS, INPUT_NORMS),
    {kind: draw for kind, (draw, _) in KINDS.items()},
)


@pytest.mark.parametrize("name", sorted({name for registry in REGISTRIES for name in registry.values()}))
def test_every_name_in_a_registry_can_be_called(name):
    assert callable(resolve_name(name))


def test_every_model_and_data_set_has_flags():
    assert OF_MODELS.keys() == MODELS.keys()
    assert OF_DATA.keys() == DATASETS.keys()
    assert {flags.dataset_mode for flags in OF_MODELS.values()} <= DATASETS.keys()
    assert {flags.model for flags in OF_DATA.values()} <= MODELS.keys()


def test_the_choices_of_a_flag_are_the_keys_of_its_registry():
    parser = Parser()
    add_train_options(parser)
    actions = parser.actions()
    assert tuple(actions["adapt"].choices or ()) == ("finetune", "scratch", *RIVALS, *METHODS)
    assert tuple(actions["gan_mode"].choices or ()) == tuple(GAN_LOSSES)
    assert tuple(actions["lr_policy"].choices or ()) == tuple(LR_POLICIES)
