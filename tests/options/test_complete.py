"""What completes a command line: recipes by name, the donor's network flags, a run's name, the data's layout, help."""

import argparse
import json
import os
from pathlib import Path

import pytest

import options.segment
import options.test
import options.train
from options.complete.names import existing_run, with_name
from options.runs import resolve_named
from tests.helpers import ROOT
from util.errors import UserError


def train(*argv: object) -> argparse.Namespace:
    return options.train.parse([str(word) for word in argv])


def folders(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
    return root


def a_run(checkpoints: Path, name: str, **recorded: object) -> Path:
    folder = folders(checkpoints, name) / name
    (folder / "latest_net_G.pth").write_bytes(b"")
    (folder / "options.json").write_text(json.dumps(recorded))
    return folder


@pytest.mark.parametrize("word", ["@lungs", "@lungs.txt", "@recipes/lungs.txt", f"@{ROOT}/recipes/lungs.txt"])
def test_a_recipe_is_found_by_its_name_from_any_folder(tmp_path, monkeypatch, word):
    monkeypatch.chdir(tmp_path)
    opt = train(word, "--name", "x", "--lr", "0.1")
    assert (opt.pretrained, opt.n_epochs, opt.lr, opt.dataset_mode) == ("facades_photo2label", 12, 0.1, "masks")
    assert train(word.replace("lungs", "quick"), "--name", "x").n_epochs == 1  # which names @recipes/lungs.txt itself


def test_a_file_of_the_users_comes_before_a_recipe_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("lungs").write_text("--n_epochs 7")
    assert train("@lungs").n_epochs == 7


@pytest.mark.parametrize(
    ("word", "message"),
    [("@lung", "did you mean @lungs?"), ("@recipes/qick.txt", "did you mean @quick?"), ("@xyz", "README")],
)
def test_a_mistyped_recipe_is_suggested(word, message):
    with pytest.raises(UserError, match=f"{word}: no such file, and no recipe of that name; ") as error:
        train(word)
    assert message in str(error.value)


def test_the_network_flags_come_from_the_donor_and_typed_flags_win():
    opt = train("--dataset_mode", "masks", "--pretrained", "facades_photo2label")
    assert (opt.netG, opt.ngf, opt.norm, opt.ndf) == ("unet_256", 16, "batch", 64)
    assert train("--model", "supervised", "--pretrained", "facades_photo2label").netG == "unet_256"
    opt = train("--dataset_mode", "masks", "--pretrained", "facades_photo2label", "--ngf", "32", "--output_nc", "1")
    assert (opt.ngf, opt.output_nc) == (32, 1)  # the first is refused where the weights are loaded


def test_a_published_donor_needs_no_network_flags_before_it_is_downloaded(tmp_path):
    opt = train("--model", "pix2pix", "--pretrained", "horse2zebra", "--checkpoints_dir", tmp_path)
    assert (opt.netG, opt.norm, opt.no_dropout) == ("resnet_9blocks", "instance", True)


def test_a_donor_without_options_shows_its_flags_by_its_weights(tmp_path):
    import torch

    from models.networks.define import define_G

    torch.save(define_G(3, 3, 4, "unet_64", "instance").state_dict(), tmp_path / "plain.pth")
    opt = train("--dataset_mode", "masks", "--pretrained", tmp_path / "plain.pth")
    assert (opt.netG, opt.ngf, opt.norm) == ("unet_64", 4, "instance")


def test_a_donor_with_one_channel_is_fitted_as_before_and_one_with_two_channels_decides(tmp_path):
    for channels, expected in ((1, 3), (2, 2)):
        a_run(tmp_path, f"donor_{channels}", netG="unet_64", ngf=8, input_nc=channels, output_nc=channels)
        opt = train("--model", "pix2pix", "--pretrained", f"donor_{channels}", "--checkpoints_dir", tmp_path)
        assert (opt.ngf, opt.input_nc, opt.output_nc) == (8, expected, expected)


def test_a_donors_record_with_a_wrong_value_is_named(tmp_path):
    a_run(tmp_path, "donor", netG="vgg")
    with pytest.raises(UserError, match="--pretrained donor, options.json: argument --netG: vgg"):
        train("--pretrained", "donor", "--checkpoints_dir", tmp_path)


@pytest.mark.parametrize("names", [("images", "masks"), ("img", "label"), ("CXR_png", "mask")])
def test_a_folder_of_images_and_one_of_masks_need_no_dataset_mode(tmp_path, names):
    folders(tmp_path, *names)
    opt = train("--dataroot", tmp_path)
    assert (opt.dataset_mode, opt.model) == ("masks", "pix2pix")
    assert train("--dataroot", tmp_path, "--model", "cycle_gan").dataset_mode == "masks"
    assert train("--dataroot", tmp_path, "--dataset_mode", "single").dataset_mode == "single"


def test_upstreams_folders_keep_upstreams_default(tmp_path):
    opt = train("--dataroot", folders(tmp_path, "trainA", "trainB"))
    assert (opt.dataset_mode, opt.model) == ("unaligned", "cycle_gan")


def test_a_run_on_drawn_images_is_tested_on_the_folder_that_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(folders(tmp_path, "lungs/images", "lungs/masks", "facades/val"))
    a_run(tmp_path / "checkpoints", "drawn", model="pix2pix", dataset_mode="phantom", phantom="chests")
    modes = {
        words: resolve_named(options.test.TEST.typed(["--name", "drawn", *words.split()]))[0].dataset_mode
        for words in ("", "--dataroot lungs", "--dataroot facades", "--dataroot lungs --dataset_mode single")
    }
    assert [*modes.values()] == ["phantom", "masks", "aligned", "single"]


def test_a_run_without_a_name_is_called_after_data_and_model_and_found_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(folders(tmp_path, "data/my lungs/images", "data/my lungs/masks"))
    opt = train("--dataroot", "data/my lungs")
    assert opt.name == "my-lungs_pix2pix"
    assert train("--dataroot", "data/my lungs", "--suffix", "{ngf}").name == "my-lungs_pix2pix_64"
    assert train("--dataset_mode", "phantom").name == "chests_pix2pix"
    a_run(tmp_path / "checkpoints", opt.name, model="pix2pix", dataset_mode="masks", ngf=8)
    typed = options.test.TEST.typed(["--dataroot", "data/my lungs"])
    assert [(run.name, run.ngf) for run in resolve_named(typed)] == [(opt.name, 8)]
    assert train("--dataroot", "data/my lungs", "--continue_train").name == opt.name
    assert "no --name: taking the run my-lungs_pix2pix" in capsys.readouterr().out


def test_without_a_name_test_py_takes_upstreams_run_or_lists_the_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="--name is missing: which run? checkpoints holds none".replace("?", r"\?")):
        with_name({})
    for age, name in enumerate(("new", "old")):
        os.utime(a_run(tmp_path / "checkpoints", name), (10**9 - age,) * 2)
    with pytest.raises(UserError, match="checkpoints holds, the newest first: new, old"):
        with_name({"dataroot": "elsewhere"})
    a_run(tmp_path / "checkpoints", "experiment_name")
    assert with_name({"dataroot": "elsewhere"})["name"] == "experiment_name"


def test_without_a_name_no_options_of_a_run_are_read(tmp_path, monkeypatch):
    """Also not those of upstream's default name: the tests of these files must not depend on the user's runs."""
    monkeypatch.chdir(tmp_path)
    for name in ("experiment_name", "single_test", "unaligned_cycle_gan"):
        a_run(tmp_path / "checkpoints", name, netG="resnet_6blocks", model="cycle_gan")
    assert [options.test.parse([]).netG, train().netG] == ["resnet_9blocks"] * 2


@pytest.mark.parametrize(("name", "hint"), [("my_lung", "did you mean my_lungs?"), ("x", "newest first: my_lungs")])
def test_a_mistyped_run_is_suggested(tmp_path, name, hint):
    a_run(tmp_path, "my_lungs")
    with pytest.raises(UserError, match=f"--name {name}: there is no run .*{name}; ") as error:
        resolve_named({"name": name, "checkpoints_dir": str(tmp_path)})
    assert hint in str(error.value)
    with pytest.raises(UserError) as error:
        train("--continue_train", "--name", name, "--checkpoints_dir", tmp_path)
    assert hint in str(error.value)
    assert existing_run(tmp_path, "my_lungs", "--name").is_dir()


def test_only_a_run_that_nobody_named_is_announced_as_named_after_its_data_and_model(tmp_path):
    data = folders(tmp_path / "lungs", "images", "masks")
    argv = ["--dataroot", data, "--model", "pix2pix"]
    for more in ([], ["--suffix", "{netG}"]):
        assert not options.train.is_named(train(*argv, *more))
        for name in ("lungs_pix2pix_b", "mine"):
            assert options.train.is_named(train(*argv, *more, "--name", name))


def test_a_new_run_under_an_old_name_is_refused_unless_it_is_asked_for(tmp_path):
    a_run(tmp_path, "old")
    argv = ["--name", "old", "--checkpoints_dir", tmp_path]
    with pytest.raises(UserError, match="old holds a run already: --continue_train .*, --overwrite .*another --name"):
        options.train.refuse_old_run(train(*argv))
    for allowed in ([*argv, "--overwrite"], [*argv, "--continue_train"], [*argv[2:], "--name", "new"]):
        options.train.refuse_old_run(train(*allowed))


def help_of(capsys, parse, *words: str) -> str:
    with pytest.raises(SystemExit, match="0"):
        parse(["--help", *words])
    return capsys.readouterr().out


@pytest.mark.parametrize("parse", [options.train.parse, options.test.parse])
def test_help_begins_with_examples_and_shows_about_ten_flags(capsys, parse):
    text = help_of(capsys, parse)
    assert text.index("examples:") < text.index("  python t") < text.index("--help all") < text.index("  --name")
    assert text.count("\n  --") == 10
    assert len(text.splitlines()) < 50


def test_help_all_lists_the_flags_of_every_model_and_data_set_once_for_each(capsys):
    text = help_of(capsys, options.train.parse, "all")
    for flag in ("--lambda_L1", "--lambda_A", "--fold", "--phantom", "--lr"):
        assert text.count(f"\n  {flag} ") == 1, flag
    assert text.count("\n  --seg_loss") == 2
    assert "only with --model pix2pix:" in text


def test_no_help_shows_a_default_that_says_nothing(capsys):
    for text in (help_of(capsys, options.train.parse, "all"), help_of(capsys, options.test.parse, "all")):
        flat = " ".join(text.split())
        assert "(default: 0)" in flat
        for silent in ("None", "False", "inf", ""):
            assert f"(default: {silent})" not in flat


def test_help_shows_the_defaults_of_its_own_script(capsys):
    """test.py takes eight images at a time, scales them to --crop_size, and segment.py has no --name."""
    sizes = {parse: help_of(capsys, parse, "batch_size") for parse in (options.train.parse, options.test.parse)}
    assert [text.count("(default: 8)") for text in sizes.values()] == [0, 1]
    assert "default" not in help_of(capsys, options.test.parse, "load_size")
    text = " ".join(help_of(capsys, options.segment.parse).split())
    assert "images per step (default: 8)" in text
    assert "folder of all runs (default: ./checkpoints)" in text
    assert "--name" not in text


def test_help_finds_a_flag_by_a_word_of_its_name_or_description(capsys):
    text = help_of(capsys, options.train.parse, "lambda_L1")
    assert text.startswith("only with --model pix2pix:\n  --lambda_L1")
    assert "--seed" not in text
    assert "--fold" in help_of(capsys, options.train.parse, "cross-validation")
    with pytest.raises(UserError, match="--help lamda_L1: no flag .*did you mean --help lambda_L1"):
        options.train.parse(["--help", "lamda_L1"])


def test_the_console_shows_only_the_flags_that_differ_from_the_defaults():
    opt = train(
        "--dataset_mode", "masks", "--name", "my run", "--no_flip", "--norm_stats", "running", "--batch_size", "1"
    )
    assert options.train.in_short(opt) == (
        "flags that differ from the defaults (all flags: checkpoints/my run/train_opt.txt): "
        "--name 'my run' --no_flip --norm_stats running"
    )


@pytest.mark.parametrize("path", [r"C:\Users\me\patients\old", r"..\me\patients\old", "/home/me/patients/old", "old"])
def test_a_card_names_no_folder_of_any_system_and_leaves_a_pattern_whole(path):
    opt = train("--dataset_mode", "masks", "--name", "x", "--patient_regex", r"(\d+)/\w+")
    opt.encoder_weights = path
    settings = options.train.card_facts(opt)["Settings that differ from the defaults"]
    assert "--encoder_weights old --" in settings
    assert r"--patient_regex '(\d+)/\w+'" in settings
    assert "patients" not in settings
