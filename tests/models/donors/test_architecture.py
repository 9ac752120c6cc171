"""The architecture of a generator, read from its weights."""

import pytest

from models.donors.architecture import infer_architecture
from models.networks import GENERATORS
from models.networks.define import define_D, define_G


@pytest.mark.parametrize("netG", GENERATORS)
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("dropout", [True, False])
def test_the_architecture_is_read_from_the_weights(netG, norm, dropout):
    inferred = infer_architecture(define_G(1, 3, 6, netG, norm, dropout).state_dict())
    ngf = None if netG.startswith("mobile") else 6  # every layer has a width of its own
    assert (inferred.netG, inferred.input_nc, inferred.output_nc, inferred.ngf, inferred.norm) == (
        netG,
        1,
        3,
        ngf,
        norm,
    )
    assert inferred.no_dropout == (not dropout if netG.startswith("resnet") else None)


def test_a_discriminator_is_not_taken_for_a_generator():
    assert infer_architecture(define_D(6, 8, "basic").state_dict()) is None
    assert infer_architecture(define_D(6, 8, "pixel").state_dict()) is None
