"""The catalogue offers everything that upstream's scripts offer, and twins name each other."""

import re

import pytest

from util.fetch.catalogue import DATA_SETS, DONORS, donor, twin

PIX2PIX_MODELS = "edges2shoes sat2map map2sat facades_label2photo day2night"
CYCLEGAN_MODELS = (
    "apple2orange orange2apple summer2winter_yosemite winter2summer_yosemite horse2zebra zebra2horse monet2photo "
    "style_monet style_cezanne style_ukiyoe style_vangogh cyclegan_sat2map cyclegan_map2sat cityscapes_photo2label "
    "cityscapes_label2photo cyclegan_facades_photo2label cyclegan_facades_label2photo iphone2dslr_flower"
)
PIX2PIX_SETS = "cityscapes night2day edges2handbags edges2shoes facades maps"
CYCLEGAN_SETS = (
    "apple2orange summer2winter_yosemite horse2zebra monet2photo cezanne2photo ukiyoe2photo vangogh2photo "
    "cyclegan_maps cityscapes cyclegan_facades iphone2dslr_flower ae_photos"
)


def test_upstreams_names_are_known():
    assert set(f"{PIX2PIX_MODELS} {CYCLEGAN_MODELS}".split()) == set(DONORS)
    assert set(f"{PIX2PIX_SETS} {CYCLEGAN_SETS}".split()) <= set(DATA_SETS)


def test_no_two_files_have_the_same_name():
    names = [file.name for data_set in DATA_SETS.values() for file in data_set.files]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", DONORS)
def test_a_twin_has_the_same_architecture_and_names_its_twin(name):
    if twin(name):
        one, other = DONORS[name], DONORS[twin(name)]
        assert other.twin == name
        for flag in ("netG", "ngf", "norm", "no_dropout"):
            assert getattr(one, flag) == getattr(other, flag)


def test_a_twin_is_found_by_name_and_by_upstreams_folder():
    assert twin("horse2zebra") == twin("horse2zebra_pretrained") == "zebra2horse"
    assert twin("monet2photo") == "style_monet"
    assert twin("facades_label2photo") is None
    assert twin("my_own_run") is None


def test_a_generator_has_the_flags_that_build_it():
    assert (donor("sat2map").netG, donor("sat2map").norm, donor("sat2map").no_dropout) == ("unet_256", "batch", False)
    horses = donor("horse2zebra_pretrained")
    assert (horses.netG, horses.norm, horses.no_dropout, horses.ngf) == ("resnet_9blocks", "instance", True, 64)


@pytest.mark.parametrize("item", [*DATA_SETS.values(), *DONORS.values()], ids=lambda item: item.name)
def test_every_entry_has_a_licence_a_citation_and_a_way_to_get_it(item):
    files = item.files if hasattr(item, "files") else (item.file,)
    assert item.licence
    assert item.citation
    assert item.about
    assert files or item.by_hand
    for file in files:
        assert re.fullmatch(r"https?://[^ ]+", file.url)
        assert file.checksum is None or re.fullmatch(r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", file.checksum)
