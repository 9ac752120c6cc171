"""Command lines: upstream's flags and defaults, layered defaults, @file, and one-line errors."""

import argparse
import json
from contextlib import nullcontext
from dataclasses import replace

import pytest

import options.test
import options.train
from options.flags.of_data import OF_DATA
from options.recorded import read_run
from options.runs import resolve_named
from options.script import as_dict
from tests.helpers import words
from util.errors import UserError


def train(*argv: str) -> argparse.Namespace:
    return options.train.parse(list(argv))


def apply(*argv: str) -> argparse.Namespace:
    return options.test.parse(list(argv))


def named(*argv: str) -> list[argparse.Namespace]:
    return resolve_named(options.test.TEST.typed(list(argv)))


UPSTREAM = {
    "model": "cycle_gan",
    "dataset_mode": "unaligned",
    "netG": "resnet_9blocks",
    "norm": "instance",
    "gan_mode": "lsgan",
    "pool_size": 50,
    "lambda_A": 10.0,
    "lambda_B": 10.0,
    "lambda_identity": 0.5,
    "checkpoints_dir": "./checkpoints",
    "input_nc": 3,
    "output_nc": 3,
    "ngf": 64,
    "ndf": 64,
    "netD": "basic",
    "n_layers_D": 3,
    "init_type": "normal",
    "init_gain": 0.02,
    "no_dropout": True,
    "direction": "AtoB",
    "serial_batches": False,
    "num_threads": 4,
    "batch_size": 1,
    "crop_size": 256,
    "preprocess": "resize_and_crop",
    "no_flip": False,
    "display_winsize": 256,
    "epoch": "latest",
    "verbose": False,
    "display_freq": 400,
    "display_ncols": 4,
    "display_id": 1,
    "display_server": "http://localhost",
    "display_env": "main",
    "display_port": 8097,
    "update_html_freq": 1000,
    "print_freq": 100,
    "no_html": False,
    "save_latest_freq": 5000,
    "save_epoch_freq": 5,
    "save_by_iter": False,
    "continue_train": False,
    "epoch_count": 1,
    "phase": "train",
    "n_epochs": 100,
    "n_epochs_decay": 100,
    "beta1": 0.5,
    "lr": 0.0002,
    "lr_policy": "linear",
    "lr_decay_iters": 50,
}
"""Upstream's defaults for a CycleGAN."""


def test_flags_of_upstream_have_upstreams_defaults():
    opt = train()
    assert {key: getattr(opt, key) for key in UPSTREAM} == UPSTREAM


@pytest.mark.parametrize(
    ("flags", "training", "testing"),
    [
        ([], ("cycle_gan", "unaligned"), ("test", "single")),
        (["--dataset_mode", "masks"], ("pix2pix", "masks"), ("pix2pix", "masks")),
        (["--dataset_mode", "single"], ("cycle_gan", "single"), ("test", "single")),
        (["--model", "pix2pix"], ("pix2pix", "aligned"), ("pix2pix", "aligned")),
        (["--model", "cycle_gan", "--dataset_mode", "masks"], ("cycle_gan", "masks"), ("cycle_gan", "masks")),
    ],
)
def test_a_given_data_set_chooses_the_model_and_a_given_model_the_data_set(flags, training, testing):
    for parse, expected in ((train, training), (apply, testing)):
        opt = parse(*flags)
        assert (opt.model, opt.dataset_mode) == expected


def test_one_generator_of_a_run_reads_plain_images(tmp_path):
    """--model test with a run that was trained in pairs: `single`, as upstream, and the run's networks."""
    argv = run_folder(tmp_path, "--model", "cycle_gan", "--dataset_mode", "masks", "--ngf", "8")
    opt = apply(*argv, "--model", "test", "--model_suffix", "_B")
    assert (opt.model, opt.dataset_mode, opt.ngf, opt.no_dropout, opt.model_suffix) == ("test", "single", 8, True, "_B")


def test_networks_of_smp_by_the_names_in_its_papers():
    assert train("--netG", "smp:UnetPlusPlus:resnet34").netG == "smp:unetplusplus:resnet34"
    assert train("--netG", "smp:unet:inception_v3").netG == "smp:unet:tu-inception_v3"


def test_pix2pix_overrides_defaults_and_the_command_line_overrides_pix2pix():
    opt = train("--model", "pix2pix")
    assert (opt.norm, opt.netG, opt.dataset_mode, opt.gan_mode, opt.lambda_L1) == (
        "batch",
        "unet_256",
        "aligned",
        "vanilla",
        100.0,
    )
    assert train("--model", "pix2pix", "--norm", "instance").norm == "instance"


def test_the_data_set_brings_flags_and_defaults(monkeypatch):
    masks = replace(OF_DATA["masks"], defaults={"max_dataset_size": 9.0})
    monkeypatch.setitem(OF_DATA, "masks", masks)
    opt = train("--dataset_mode", "masks", "--source", "montgomery")
    assert (opt.source, opt.max_dataset_size) == ("montgomery", 9)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--n_epoch", "3"], "unknown flag --n_epoch: did you mean --n_epochs?"),
        (["--lamda_L1=3"], "unknown flag --lamda_L1=3: did you mean --lambda_L1 of --model pix2pix?"),
        (["--model", "pix3pix"], "--model pix3pix: unknown; choose one of cycle_gan, pix2pix, supervised, test"),
        (["--dataset_mode", "x"], "--dataset_mode x: unknown; choose one of unaligned, aligned, masks"),
        (["--netG", "vgg"], "argument --netG: vgg: no generator; choose unet_64, "),
        (["--netG", "unet_smal"], "argument --netG: unet_smal: no generator; did you mean unet_small?"),
        (["--netG", "smp:unet"], "argument --netG: smp:unet: no generator"),
        (["--batch_size", "zero"], "argument --batch_size: zero: want a whole number"),
        (["--lr", "fast"], "argument --lr: fast: want a number"),
        (["--lambda_A", "nan"], "--lambda_A nan: must be a number"),
        (["--lambda_A", "-1"], "--lambda_A -1: must be 0 or more"),
        (["--tta"], "unknown flag --tta (see --help)"),
        (["--warmup", "4", "--n_epochs", "1", "--n_epochs_decay", "2"], "--warmup 4: more epochs than there are"),
        (["--pool_size", "-1"], "argument --pool_size: -1 must be 0 or more"),
        (["--batch_size", "0"], "argument --batch_size: 0 must be at least 1"),
        (["--name", "../other"], "--name ../other: must be a plain name"),
        (["--name", "/etc/x"], "must be a plain name"),
        (["--mask_threshold", "127"], "argument --mask_threshold: 127 must lie between 0 and 1"),
        (["--n_epochs", "0", "--n_epochs_decay", "0"], "--n_epochs 0 --n_epochs_decay 0: no epoch to train"),
        (["--epoch_count", "9", "--n_epochs", "2", "--n_epochs_decay", "3"], "--epoch_count 9 is past the last epoch"),
        (["@missing.txt"], "missing.txt"),
        (["--print_freq", "0"], "argument --print_freq: 0 must be at least 1"),
        (["--seed", "-1"], "argument --seed: -1 must be 0 or more"),
        (["--lr", "nan"], "argument --lr: nan must be 0 or more"),
        (["--max_dataset_size", "nan"], "argument --max_dataset_size: nan must be at least 1"),
        (["--n_epochs_decay", "-1"], "argument --n_epochs_decay: -1 must be 0 or more"),
        (["--epoch", "../a/latest"], "--epoch ../a/latest: must be a plain word"),
        (["--phase", "../../x"], "--phase ../../x: must be a plain word"),
        (["--source", "a"], "unknown flag --source: it belongs to --dataset_mode masks"),
        (["--suffix", "{nothing}"], "--suffix {nothing}: 'nothing' is no flag's name in braces"),
    ],
)
def test_each_mistake_on_the_command_line_ends_in_one_line(argv, message):
    with pytest.raises(UserError) as error:
        train(*argv)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_flags_are_read_from_a_file_with_comments(tmp_path):
    recipe = tmp_path / "recipe.txt"
    recipe.write_text("# a recipe\n--ngf 16   # small\n\n--name 'my run'\n--no_flip\n")
    opt = train(f"@{recipe}", "--ngf", "8")
    assert (opt.ngf, opt.name, opt.no_flip) == (8, "my run", True)  # what comes later wins


@pytest.mark.parametrize("text", [b"--name 'half", b"--name \xff", b"@%s", b"--name " + b"x" * 300_000])
def test_a_flag_file_that_cannot_be_parsed_is_refused_in_one_line(tmp_path, text):
    recipe = tmp_path / "recipe.txt"
    recipe.write_bytes(text.replace(b"%s", str(recipe).encode()))
    with pytest.raises(UserError, match="@FILE"):
        train(f"@{recipe}")


def test_suffix_extends_the_name_and_load_iter_chooses_the_epoch():
    assert train("--name", "lungs", "--suffix", "{netG}_{crop_size}").name == "lungs_resnet_9blocks_256"
    assert options.test.parse(["--name", "lungs", "--load_iter", "500"]).epoch == "iter_500"


def test_help_shows_the_models_and_the_data_sets_flags(capsys):
    with pytest.raises(SystemExit) as end:
        train("--model", "pix2pix", "--dataset_mode", "masks", "--help")
    shown = capsys.readouterr().out
    assert end.value.code == 0
    assert "model pix2pix" in shown
    assert "--lambda_L1" in shown
    assert "data set masks" in shown
    assert "--source" in shown


def run_folder(tmp_path, *argv: str):
    opt = train("--checkpoints_dir", str(tmp_path), "--name", "run", *argv)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "options.json").write_text(json.dumps(as_dict(opt)))
    return ["--checkpoints_dir", str(tmp_path), "--name", "run"]


def test_testing_reads_omitted_flags_from_the_runs_options(tmp_path):
    argv = run_folder(
        tmp_path,
        "--ngf",
        "8",
        "--dataset_mode",
        "masks",
        "--dataroot",
        "lungs",
        "--source",
        "a",
        "--norm",
        "instance",
        "--batch_size",
        "3",
        "--crop_size",
        "128",
        "--seed",
        "7",
    )
    opt = apply(*argv)
    assert (opt.ngf, opt.dataset_mode, opt.dataroot, opt.source, opt.norm) == (8, "masks", "lungs", "a", "instance")
    assert (opt.crop_size, opt.load_size, opt.seed) == (128, 128, 7)
    assert (opt.phase, opt.batch_size, opt.stochastic) == ("test", 8, False)
    assert apply(*argv, "--ngf", "4", "--phase", "val").ngf == 4
    assert apply(*argv, "--dataroot", "elsewhere").source == ""  # other data knows other sources


def test_the_runs_own_data_are_split_as_the_run_split_them(tmp_path, monkeypatch):
    """However they are named: else images of the training would be tested on."""
    monkeypatch.chdir(tmp_path)
    argv = run_folder(tmp_path, "--dataset_mode", "masks", "--dataroot", "./lungs", "--source", "a")
    for same in ("lungs", str(tmp_path / "lungs"), "lungs/"):
        assert apply(*argv, "--dataroot", same).source == "a"
    assert apply(*argv, "--dataroot", "lungs", "--source", "b").source == "b"


def test_a_folder_of_upstreams_is_tested_as_upstream_does(tmp_path, capsys):
    (tmp_path / "old").mkdir()
    opt = apply("--checkpoints_dir", str(tmp_path), "--name", "old")
    assert (opt.stochastic, opt.num_test) == (True, 50)
    assert "has no options.json" in capsys.readouterr().out
    opt = apply("--checkpoints_dir", str(tmp_path), "--name", "old", "--eval")
    assert (opt.norm_stats, opt.stochastic) == ("running", False)


def test_testing_loads_images_at_crop_size():
    with pytest.raises(UserError, match="--load_size 300: testing scales to --crop_size 256"):
        apply("--load_size", "300")


def test_continue_train_keeps_the_runs_options(tmp_path):
    argv = run_folder(tmp_path, "--ngf", "8", "--lr", "0.001")
    opt = train(*argv, "--continue_train", "--n_epochs", "7")
    assert (opt.ngf, opt.lr, opt.n_epochs, opt.continue_train) == (8, 0.001, 7, True)
    with pytest.raises(UserError, match="there is no run"):
        train("--continue_train", "--name", "other", "--checkpoints_dir", str(tmp_path))


def test_a_run_with_a_suffix_is_found_by_its_name_and_suffix(tmp_path):
    """Continued and tested by both of its names."""
    opt = train("--checkpoints_dir", str(tmp_path), "--name", "run", "--suffix", "{ngf}", "--ngf", "8")
    (tmp_path / "run_8").mkdir()
    (tmp_path / "run_8" / "options.json").write_text(json.dumps(as_dict(opt)))
    for way in (
        ["--name", "run_8"],
        ["--name", "run", "--suffix", "8"],
        ["--name", "run", "--suffix", "{ngf}", "--ngf", "8"],
    ):
        argv = ["--checkpoints_dir", str(tmp_path), *way]
        assert [(o.name, o.ngf) for o in (train(*argv, "--continue_train"), apply(*argv))] == [("run_8", 8)] * 2
    with pytest.raises(UserError, match="--suffix {ngf.x}: 'int' object has no attribute 'x' is no flag's name"):
        train("--suffix", "{ngf.x}", "--ngf", "8")


def test_a_damaged_options_file_is_refused_by_name(tmp_path):
    argv = run_folder(tmp_path)
    (tmp_path / "run" / "options.json").write_text("{")
    with pytest.raises(UserError, match="options.json: damaged"):
        apply(*argv)
    (tmp_path / "run" / "options.json").write_text("[1]")
    with pytest.raises(UserError, match="options.json: damaged"):
        apply(*argv)
    (tmp_path / "run" / "options.json").write_text('{"netG": "vgg"}')
    with pytest.raises(UserError, match="run/options.json: argument --netG: vgg: no generator"):
        apply(*argv)
    (tmp_path / "run" / "options.json").write_text('{"norm": "bats"}')
    with pytest.raises(UserError, match="run/options.json: argument --norm: invalid choice: 'bats'"):
        apply(*argv)


def test_options_are_printed_as_upstream_prints_them():
    lines = options.train.as_text(train("--model", "pix2pix", "--ngf", "8")).splitlines()
    assert lines[0].startswith("-----")
    assert lines[-1].startswith("-----")
    assert "                      ngf: 8                             \t[default: 64]" in lines
    assert any(line.startswith("                     norm: batch") and "default" not in line for line in lines)


def test_augment_flip_and_no_flip_contradict_each_other():
    with pytest.raises(UserError, match="--augment flip and --no_flip contradict each other: leave one out"):
        train("--augment", "flip", "--no_flip")
    assert train("--augment", "paper003", "--no_flip").augment == "paper003"


@pytest.mark.parametrize("classes", ["lung_sides", "left lung"])
def test_a_mirror_image_is_no_second_opinion_where_classes_have_a_side(tmp_path, classes):
    flags = ["--dataset_mode", "masks", "--dataroot", str(tmp_path), "--classes", classes, "--tta"]
    with pytest.raises(UserError, match="--tta: in a mirror image .*left lung would be the wrong class"):
        options.test.parse([*flags, "--model", "pix2pix", "--name", "sides"])


@pytest.mark.parametrize("parse", [options.train.parse, options.test.parse])
@pytest.mark.parametrize(
    ("classes", "flag", "refused"),
    [
        ("lung_sides", "--keep_largest 2", True),
        ("facades", "--fill_holes", True),
        ("facades", "--mask_threshold 0.4", True),
        ('{"a":[0,0,0],"b":[255,0,0],"c":[0,0,255]}', "--min_area 9", True),
        ("lungs", "--keep_largest 2 --fill_holes", False),
        ("lung_sides", "--mask_threshold 0.5", False),
    ],
)
def test_masks_of_several_classes_are_not_cleaned(tmp_path, parse, classes, flag, refused):
    """Each pixel has the class of the nearest colour there: the flags would have no effect, without a word."""
    argv = ["--dataset_mode", "masks", "--dataroot", str(tmp_path), "--classes", classes, *words(flag)]
    argv += words("--model pix2pix --name x --gpu_ids -1")
    with pytest.raises(UserError, match=f"^{flag.split()[0]}: acts on masks of two") if refused else nullcontext():
        parse(argv)


def test_of_two_classes_the_first_is_the_background(tmp_path):
    classes = ['{"background": [0, 0, 0], "heart": [9, 0, 0]}', '{"heart": [9, 0, 0], "Background": [0, 0, 0]}']
    argv = ["--dataset_mode", "masks", "--dataroot", str(tmp_path), "--name", "x", "--classes"]
    assert train(*argv, classes[0]).classes == classes[0]
    with pytest.raises(UserError, match="the first of two classes is the background; put Background first"):
        train(*argv, classes[1])


def test_an_ensemble_keeps_each_runs_own_options(tmp_path):
    """What was typed counts for all; how data is read is the first run's business."""
    for name, net, mode in (("a", "unet_64", "masks"), ("b", "unet_128", "aligned")):
        recorded = {"model": "pix2pix", "netG": net, "dataset_mode": mode}
        (tmp_path / name).mkdir()
        (tmp_path / name / "options.json").write_text(json.dumps(recorded))
    argv = ["--checkpoints_dir", str(tmp_path), "--tta", "--source", "x"]
    runs = named(*argv, "--name", "a, b")
    assert [(run.name, run.netG, run.dataset_mode, run.tta) for run in runs] == [
        ("a", "unet_64", "masks", True),
        ("b", "unet_128", "masks", True),
    ]
    assert [run.name for run in named(*argv, "--name", "a")] == ["a"]
    with pytest.raises(UserError, match=f"--name a,c: there is no run {tmp_path}/c"):
        named(*argv, "--name", "a,c")
    for listed in ("a,a", "a,", ","):
        with pytest.raises(UserError, match=f"--name {listed}: want different runs between the commas"):
            named(*argv, "--name", listed)


@pytest.mark.parametrize(
    ("parse", "flags", "message"),
    [
        (train, ["--name", "a,b"], "--name a,b: commas are for the runs of an ensemble"),
        (apply, ["--samples", "1"], "--samples 1: passes are compared with one another, so take at least 2"),
        (apply, ["--patch_overlap", "1"], "1 must be 0 or more, and less than 1"),
        (train, ["--patch", "-1"], "must be 0 or more"),
        (apply, ["--patch", "512"], "--patch 512: larger than the images, which testing scales to --crop_size 256"),
    ],
)
def test_flags_that_contradict_each_other_in_testing_are_refused(parse, flags, message):
    with pytest.raises(UserError, match=message):
        parse(*flags)


@pytest.mark.parametrize("word", ["0.5", "negatives=0.5", "positives=1", "positives=0", "positives=half"])
def test_a_balance_is_a_share_of_positives(word):
    assert train("--balance", "positives=0.4").balance == 0.4
    with pytest.raises(UserError, match="argument --balance: "):
        train("--balance", word)


WRONG = {
    "ngf": ["x", 0, -1, 1.5, True, None, [8], {"a": 1}, "1e3", float("nan")],
    "lr": ["x", True, None, [0.1], {}],
    "name": [True, None, [], {}, "a\0b", "\ud800"],
    "dataroot": [True, None, [], {}, "a\0b", "\ud800"],
    "no_dropout": ["yes", 1, None, [], 0.0],
    "norm": ["bats", 3, None, ["batch"]],
    "model": ["bats", 3, True, ["pix2pix"], {}],
    "dataset_mode": ["bats", 3, True, ["masks"], {}],
    "balance": ["0.5", 2, True, []],
    "mask_threshold": [True, [0.5], "often", 7],
    "gpu_ids": [True, [0], {}],
}


@pytest.mark.parametrize(("flag", "value"), [(flag, value) for flag, values in WRONG.items() for value in values])
def test_a_recorded_value_of_a_wrong_type_is_refused_by_its_flags_own_rule(tmp_path, flag, value):
    argv = run_folder(tmp_path)
    (tmp_path / "run" / "options.json").write_text(json.dumps({"model": "pix2pix", flag: value}))
    with pytest.raises(UserError, match=f"options.json: (damaged|.*--{flag})|--{flag} "):
        apply(*argv)
    with pytest.raises(UserError, match=f"options.json: (damaged|.*--{flag})|--{flag} "):
        train(*argv, "--continue_train")


def test_every_value_that_training_records_is_read_back_as_it_was(tmp_path):
    for model, mode in (("pix2pix", "masks"), ("cycle_gan", "unaligned"), ("supervised", "aligned")):
        typed = ["--dataroot", "x", "--balance", "positives=0.4", "--dataset_mode", mode, "--model", model]
        opt = train("--name", "run", *typed)
        recorded = json.loads(json.dumps(as_dict(opt)))
        (tmp_path / "options.json").write_text(json.dumps(recorded))
        assert read_run(tmp_path) == recorded
