"""train.py as a user runs it, on a few small drawn images."""

import io
import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

try:
    import resource
except ImportError:  # Windows
    resource = None

import util.run.run
from data.phantom.__main__ import write_chests
from models.networks.define import define_G
from models.pix2pix import Pix2PixModel
from tests.helpers import python, read_json, words
from tests.util.web import serving
from util import distributed
from util.errors import UserError
from util.fetch import catalogue
from util.run.learnt import count_learnt, record_learnt
from util.run.log import read_losses, read_metrics
from util.score import evaluate as scoring
from util.score import threshold
from util.score.trust import expected

WITH_PAGE = words("--netG unet_64 --ngf 4 --ndf 4 --load_size 70 --crop_size 64 --gpu_ids -1 --display_id 0")
TINY = [*WITH_PAGE, "--no_html"]  # drawing the page's curves takes twice as long as such a training
PHANTOM = words("--dataset_mode phantom --phantom_count 6")
SMALL = [*TINY, *PHANTOM]


def weights(folder: Path, epoch: str = "latest") -> dict[str, torch.Tensor]:
    states = {}
    for path in sorted(folder.glob(f"{epoch}_net_*.pth")):
        net = path.stem.split("_net_")[1]
        states |= {f"{net}.{key}": value for key, value in torch.load(path, weights_only=True).items()}
    return states


def train_state(folder: Path) -> dict:
    return torch.load(folder / "latest_train_state.pth", weights_only=True)


def assert_same(first: dict, second: dict) -> None:
    assert first.keys() == second.keys()
    different = [key for key in first if not torch.equal(first[key], second[key])]
    assert not different, f"{len(different)} tensors differ, such as {different[0]}"


def test_a_run_leaves_the_files_that_users_of_upstream_expect(run, capsys):
    often = words("--n_epochs 1 --n_epochs_decay 1 --save_epoch_freq 1 --print_freq 3 --update_html_freq 3")
    folder = run(*WITH_PAGE, *PHANTOM, *often)
    networks = "latest_net_G.pth latest_net_D.pth 1_net_G.pth 2_net_D.pth best_net_G.pth"
    records = "train_opt.txt options.json loss_log.txt metrics.csv latest_train_state.pth"
    pages = "web/index.html web/images/epoch002_fake_B.png web/curves_Dice.png web/cases/epoch002_1.jpg"
    for name in f"{networks} {records} {pages}".split():
        assert (folder / name).is_file(), name
    assert [row["iters"] for row in read_losses(folder / "loss_log.txt")] == [3, 6, 3, 6]
    rows = read_metrics(folder / "metrics.csv")
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all(0 <= row["val_dice"] <= 1 and row["G_L1"] > 0 for row in rows)
    assert all(0 <= row["train_iou"] <= row["train_dice"] <= 1 and row["val_G_L1"] > 0 for row in rows)
    assert json.loads((folder / "options.json").read_text())["netG"] == "unet_64"
    said = capsys.readouterr().out
    for line in (
        f"flags that differ from the defaults (all flags: {folder}/train_opt.txt): --checkpoints_dir ",
        "[Network G]",
        "data: 6 images of 6 patients to train on, 8 images of 8 patients to validate on; classes: background, lung; ",
        f"results: {folder}; page: {folder}/web/index.html",
        "best epoch: ",
        f"to test it: python test.py --name run --checkpoints_dir {folder.parent} --epoch best",
    ):
        assert line in said, line
    assert said.count("----") == 0, "the long list of options is in train_opt.txt"
    assert not list(folder.rglob(".*")), "no temporary files are left"


EXACT = ["--augment", "strong", "--batch_size", "2", "--save_epoch_freq", "1"]


@pytest.mark.parametrize(
    "policy",
    [
        "linear",
        "step --lr_decay_iters 1 --optimizer sgd --netD spectral --gan_mode hinge --amp",
        "plateau --patience 0 --warmup 1 --optimizer adamw --ema .9",
    ],
)
def test_resuming_is_exact_to_the_bit(run, tmp_path, policy):
    """Two epochs, then two more after a resume, give the same weights as four epochs in one go."""
    flags = [*SMALL, *EXACT, "--n_epochs_decay", "0", "--lr_policy", *policy.split()]
    run(*flags, "--n_epochs", "4", name="whole")
    run(*flags, "--n_epochs", "2", name="parts")
    torch.manual_seed(12345)
    run("--continue_train", "--n_epochs", "4", name="parts")
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    whole, parts = (read_metrics(tmp_path / name / "metrics.csv") for name in ("whole", "parts"))
    assert whole == parts


@pytest.mark.slow
def test_a_frozen_encoder_starts_to_learn_at_its_epoch_even_after_a_resume(run, tmp_path):
    """The encoder is frozen for two epochs. A run that is resumed after the first ends with the same weights."""
    flags = [
        *SMALL,
        *words(
            "--model supervised --netG smp:unet:mobilenet_v2 --load_size 36 --crop_size 32 --batch_size 2 "
            "--n_epochs_decay 0 --save_epoch_freq 1 --val_freq 0 --freeze_encoder 2 --lr_encoder 0.01 "
            "--warmup 1 --ema 0.5"
        ),
    ]
    run(*flags, "--n_epochs", "3", name="whole")
    run(*flags, "--n_epochs", "1", name="parts")
    torch.manual_seed(12345)
    run("--continue_train", "--n_epochs", "3", name="parts")
    first, second, third = (weights(tmp_path / "whole", epoch) for epoch in "123")
    assert_same(third, weights(tmp_path / "parts"))
    inside = [key for key in first if ".encoder." in key]
    assert inside
    assert all(torch.equal(first[key], second[key]) for key in inside)
    assert not all(torch.equal(second[key], third[key]) for key in inside)


def test_averaged_weights_are_validated_and_saved_but_training_goes_on_from_the_plain_ones(run, monkeypatch, tmp_path):
    """--ema does not change how the weights learn. The generator's files hold the average, D's files do not."""
    flags = [
        *SMALL,
        *words("--norm instance --no_dropout --n_epochs 2 --n_epochs_decay 0 --save_latest_freq 4 --save_epoch_freq 1"),
    ]
    run(*flags, name="plain")
    validated, original = [], scoring.evaluate

    def evaluate(model, *others, **more):
        validated.append({key: x.clone() for key, x in model.networks["G"].state_dict().items()})
        return original(model, *others, **more)

    monkeypatch.setattr(scoring, "evaluate", evaluate)
    run(*flags, "--ema", "0.9", name="averaged")
    plain, averaged = weights(tmp_path / "plain"), weights(tmp_path / "averaged")
    state = train_state(tmp_path / "averaged")["averages"]["G"]
    assert state["steps"] == 12
    assert_same({f"G.{key}": x for key, x in state["aside"].items()}, {k: x for k, x in plain.items() if k[0] == "G"})
    same = {key for key in plain if torch.equal(plain[key], averaged[key])}
    assert same == {key for key in plain if key.startswith("D.")}
    assert_same(averaged, weights(tmp_path / "averaged", "2"))
    assert all(torch.equal(x, averaged[f"G.{key}"]) for key, x in validated[-1].items())
    with pytest.raises(UserError, match=r"other averages .*check --model, --ema and --unlabelled"):
        run("--continue_train", "--n_epochs", "3", "--ema", "0", name="averaged")
    with pytest.raises(UserError, match=r"optimizer G was made with other flags; .* --weight_decay"):
        run("--continue_train", "--n_epochs", "3", "--weight_decay", "0.1", name="averaged")


@pytest.mark.parametrize(
    ("number", "step", "policy"),
    [(signal.SIGINT, 5, "linear"), (signal.SIGTERM, 5, "cosine"), (signal.SIGINT, 6, "step")],
)
def test_ctrl_c_ends_the_step_and_saves_so_that_a_resume_loses_nothing(
    run, monkeypatch, tmp_path, capsys, number, step, policy
):
    flags = [
        *SMALL,
        *EXACT,
        *words(f"--n_epochs 1 --n_epochs_decay 2 --lr_policy {policy} --lr_decay_iters 1"),
        *words("--ema 0.99 --clip_grad 0.1 --warmup 1"),
    ]
    run(*flags, name="whole")

    real_step, steps = Pix2PixModel.train_step, []

    def step_and_interrupt(self, batch):
        steps.append(1)
        if len(steps) == step:  # epoch 2 has the steps 4, 5 and 6
            os.kill(os.getpid(), number)
        return real_step(self, batch)

    monkeypatch.setattr(Pix2PixModel, "train_step", step_and_interrupt)
    run(*flags, name="parts", code=128 + number)
    assert "--name parts" in capsys.readouterr().out
    assert len(steps) == step
    monkeypatch.setattr(Pix2PixModel, "train_step", real_step)
    torch.manual_seed(12345)
    run("--continue_train", name="parts")
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_a_signal_to_another_process_stops_this_one_and_says_how_to_go_on(run, monkeypatch, capsys):
    monkeypatch.setattr(distributed, "any_process", lambda flag: True)
    run(*SMALL, "--n_epochs", "3", name="stopped")  # exit code 0: this process got no signal
    output = capsys.readouterr().out
    assert "stopped and saved; to go on: python train.py --name stopped" in output
    assert "End of epoch" not in output


def test_resuming_an_unpaired_cyclegan_is_exact_to_the_bit_with_its_image_pools(run, tmp_path):
    """Masks and images are of different patients. The pool of 4 images is full long before the resume."""
    write_chests(tmp_path / "data", 12, 64)
    flags = [
        *WITH_PAGE,
        *words("--model cycle_gan --dataset_mode masks --unpaired --pool_size 4"),
        "--dataroot",
        str(tmp_path / "data"),
        *words("--netG resnet_6blocks --load_size 36 --crop_size 32 --n_epochs_decay 0 --ema 0.9"),
    ]
    run(*flags, "--n_epochs", "3", name="whole")
    run(*flags, "--n_epochs", "2", name="parts")
    torch.manual_seed(12345)
    run("--continue_train", "--n_epochs", "3", name="parts")
    whole = weights(tmp_path / "whole")
    assert {key.split(".")[0] for key in whole} == {"G_A", "G_B", "D_A", "D_B"}
    assert_same(whole, weights(tmp_path / "parts"))
    row = read_metrics(tmp_path / "whole" / "metrics.csv")[-1]
    assert {"D_A", "G_A", "cycle_A", "idt_A", "D_B", "G_B", "cycle_B", "idt_B", "val_dice"} <= row.keys()
    assert "train_dice" not in row  # a step's masks belong to other images, so nothing can be scored
    assert (tmp_path / "whole" / "best_net_G_A.pth").is_file()
    for label in ("real_A", "fake_B", "rec_A", "idt_B", "real_B", "fake_A", "rec_B", "idt_A"):
        assert (tmp_path / "whole" / "web" / "images" / f"epoch003_{label}.png").is_file()
    with pytest.raises(UserError, match="--model pix2pix learns from pairs"):
        run(*flags, "--model", "pix2pix", name="wrong")


def test_the_same_seed_gives_the_same_weights_and_another_seed_gives_others(run, tmp_path):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        run(*SMALL, "--n_epochs", "1", "--n_epochs_decay", "0", "--seed", seed, name=name)
    assert_same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    with pytest.raises(AssertionError):
        assert_same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_fine_tuning_starts_from_the_donor(run, tmp_path, capsys):
    run(*SMALL, "--phantom", "facades", "--n_epochs", "1", "--n_epochs_decay", "0", name="donor")
    run(*SMALL, "--pretrained", "donor", "--lr", "0", "--n_epochs", "1", "--n_epochs_decay", "0")
    assert "G starts from" in capsys.readouterr().out
    donor, tuned = weights(tmp_path / "donor"), weights(tmp_path / "run")
    for key in donor:  # with a learning rate of 0 only batch norm's averages change
        if key.startswith("G.") and "running" not in key and "batches" not in key:
            assert torch.equal(donor[key], tuned[key]), key
    with pytest.raises(UserError, match="made with .*--ngf 4.*: change --ngf$"):
        run(*SMALL, "--ngf", "8", "--pretrained", "donor", name="wrong")
    assert not (tmp_path / "wrong").exists()


def test_training_continues_from_a_folder_that_upstream_left(run, tmp_path, capsys):
    """It has a generator, but no options and no training state, so discriminator and optimizers start from nothing."""
    run(*SMALL, "--n_epochs", "1", "--n_epochs_decay", "0")
    for name in ("options.json", "latest_train_state.pth", "latest_net_D.pth"):
        (tmp_path / "run" / name).unlink()
    flags = [*SMALL, "--continue_train", "--epoch_count", "2", "--n_epochs", "2", "--n_epochs_decay", "0"]
    run(*flags)
    assert "continuing at epoch 2: optimizers start afresh" in capsys.readouterr().out


def test_early_stop_ends_after_so_many_validations_without_gain(run, tmp_path, capsys):
    run(*SMALL, *words("--lr 0 --n_epochs 9 --n_epochs_decay 0 --early_stop 2 --norm instance"))
    assert "no gain in 2 validations: stopping; best epoch 1" in capsys.readouterr().out
    assert len(read_metrics(tmp_path / "run" / "metrics.csv")) == 3


@pytest.mark.skipif(resource is None, reason="no limits on file sizes on this system")
def test_a_full_disk_leaves_the_last_checkpoint_whole(run, tmp_path):
    """Files may not grow beyond 100 kB, so G (0.5 MB) cannot be written. No file of that save replaces an old one."""
    before = weights(run(*SMALL, "--n_epochs", "1", "--n_epochs_decay", "0"))

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    flags = ["--checkpoints_dir", tmp_path, "--name", "run", "--continue_train", "--n_epochs", "2"]
    done = python("train.py", *flags, preexec_fn=small_files)
    assert done.returncode == 2
    assert "not written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert_same(before, weights(tmp_path / "run"))
    assert not list((tmp_path / "run").glob(".*"))


def test_a_new_run_under_an_old_name_moves_the_old_files_to_before(run, monkeypatch, tmp_path):
    """Even if it is killed before its first save, it cannot continue with the old run's weights and its own options."""
    run(*SMALL, "--n_epochs", "1", "--n_epochs_decay", "0")

    def killed(self, batch):
        raise KeyboardInterrupt

    monkeypatch.setattr(Pix2PixModel, "train_step", killed)
    with pytest.raises(UserError, match="run holds a run already: .*--overwrite"):
        run(*SMALL, "--n_epochs", "1", "--n_epochs_decay", "0")
    of_tests = {threshold.FILE, expected.FILE, "test_opt.txt"}  # a later test of the old run needs its own
    for name in of_tests:
        (tmp_path / "run" / name).write_text("{}")
    with pytest.raises(KeyboardInterrupt):
        run(*SMALL, "--n_epochs", "1", "--n_epochs_decay", "0", "--overwrite")
    assert not list((tmp_path / "run").glob("*.pth"))
    before = {path.name for path in (tmp_path / "run" / "before").iterdir()}
    assert before >= {"latest_net_G.pth", "best_net_G.pth", "latest_train_state.pth", "options.json", *of_tests}
    assert not of_tests & {path.name for path in (tmp_path / "run").iterdir()}
    monkeypatch.undo()
    run("--continue_train", "--n_epochs", "2", name="run/before")
    with pytest.raises(UserError, match="latest_net_G.pth does not exist"):
        run("--continue_train")


def test_a_run_cannot_start_from_itself(run, tmp_path):
    run(*SMALL, "--n_epochs", "1", "--n_epochs_decay", "0")
    old = weights(tmp_path / "run")
    with pytest.raises(UserError, match="--pretrained run: that is run itself"):
        run(*SMALL, "--pretrained", "run", "--adapt", "masks", "--overwrite")
    assert_same(old, weights(tmp_path / "run"))


def test_early_stop_needs_a_validation(run):
    with pytest.raises(UserError, match="there is no validation"):
        run(*SMALL, "--val_freq", "0", "--early_stop", "2")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([*TINY, "--dataset_mode", "masks"], "--dataroot is missing"),
        ([*TINY, "--dataset_mode", "masks", "--dataroot", "nowhere"], "--dataroot nowhere: no such folder"),
        ([*SMALL, "--pretrained", "nothing"], "--pretrained nothing: neither"),
        ([*SMALL, "--gpu_ids", "0,1"], "torchrun --nproc_per_node 2 train.py"),
        ([*SMALL, "--gpu_ids", "77"], "--gpu_ids 77: this machine shows"),
        ([*SMALL, "--name", "../up"], "--name ../up: must be a plain name"),
        ([*SMALL, "--crop_size", "80"], "--crop_size 80"),
        ([*SMALL, "--epoch", "7"], "--epoch 7: a new run begins with no saved epoch; add --continue_train"),
        ([*SMALL, "--load_iter", "40"], "--load_iter 40: a new run begins with no saved epoch"),
    ],
)
def test_mistakes_end_in_one_line_and_leave_no_files(run, tmp_path, flags, message):
    with pytest.raises(UserError) as error:
        run(*flags)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_an_epoch_without_a_number_needs_one_to_go_on_at(run):
    run(*SMALL, "--n_epochs", "1", "--n_epochs_decay", "0")
    with pytest.raises(UserError, match="--epoch best: say with --epoch_count at which epoch to go on"):
        run("--continue_train", "--epoch", "best", "--n_epochs", "2")


def test_two_trainings_that_begin_together_do_not_share_a_folder(run, tmp_path, monkeypatch):
    """The second one begins while the first one reads its data, so neither found the folder at its start."""
    begin = util.run.run.Run

    def meanwhile(opt):
        monkeypatch.setattr(util.run.run, "Run", begin)
        mine = begin(opt)
        run(*SMALL, "--n_epochs", "1", "--n_epochs_decay", "0", "--seed", "2")
        return mine

    monkeypatch.setattr(util.run.run, "Run", meanwhile)
    with pytest.raises(UserError, match="run holds a run already, begun a moment ago: take another --name"):
        run(*SMALL, "--n_epochs", "1", "--n_epochs_decay", "0", "--seed", "1")
    assert read_json(tmp_path / "run" / "options.json")["seed"] == 2


def test_a_mistyped_flag_ends_with_one_line_and_exit_code_2(tmp_path):
    done = python("train.py", "--dataroot", tmp_path / "none", "--n_epoch", "3")
    assert done.returncode == 2
    assert done.stderr.strip() == "error: unknown flag --n_epoch: did you mean --n_epochs? (see --help)"


@pytest.mark.slow
def test_torchrun_trains_in_two_processes_and_only_one_writes(tmp_path):
    launcher = words("-m torch.distributed.run --standalone --nproc_per_node 2 train.py")
    flags = words("--n_epochs 2 --n_epochs_decay 0 --print_freq 2 --ema 0.9 --clip_grad 1")
    done = python(*launcher, *SMALL, "--checkpoints_dir", tmp_path, "--name", "run", *flags)
    assert done.returncode == 0, done.stderr[-2000:]
    log = (tmp_path / "run" / "loss_log.txt").read_text()
    assert log.count("Training Loss") == 1
    assert [row["iters"] for row in read_losses(tmp_path / "run" / "loss_log.txt")] == [2, 4, 6] * 2
    assert [row["iters"] for row in read_metrics(tmp_path / "run" / "metrics.csv")] == [6, 12]


def test_a_published_generator_is_downloaded_by_its_name_and_trained(run, monkeypatch, tmp_path, capsys):
    donor = define_G(3, 3, 4, "unet_64")
    data = io.BytesIO()
    torch.save(donor.state_dict(), data)
    known = catalogue.DONORS["day2night"]
    with serving() as web:
        file = replace(known.file, url=web.put("/day2night.pth", data.getvalue(), cut=[1000]))
        monkeypatch.setitem(catalogue.DONORS, "day2night", replace(known, file=file))
        run(*SMALL, "--pretrained", "day2night", *words("--n_epochs 1 --n_epochs_decay 0 --lr 0"))
    assert "cite P. Isola" in capsys.readouterr().out
    trained = torch.load(tmp_path / "run" / "latest_net_G.pth", weights_only=True)
    assert torch.equal(trained["model.model.0.weight"], donor.state_dict()["model.model.0.weight"])
    assert (tmp_path / "day2night_pretrained" / "SOURCE.txt").is_file()


@pytest.mark.slow
def test_a_run_records_the_files_that_it_learns_from(run, tmp_path):
    """Those of phase train; after a resume on other images both; in a run that starts from it, its too."""
    root = tmp_path / "data"
    lines = ["image,split"]
    for i in range(6):
        pixels = np.random.default_rng(i).integers(0, 256, (32, 32), np.uint8)
        for folder, picture in (("images", pixels), ("masks", np.uint8(pixels > 127) * 255)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(root / folder / f"x{i}.png")
        lines.append(f"images/x{i}.png,{'train' if i < 2 else 'val' if i == 2 else 'test'}")
    images = sorted((root / "images").iterdir())
    (root / "splits.csv").write_text("\n".join(lines))
    flags = [*TINY, "--dataset_mode", "masks", "--dataroot", str(root), "--n_epochs_decay", "0"]
    folder = run(*flags, "--n_epochs", "1")
    assert [count_learnt(folder, [image]) for image in images] == [1, 1, 0, 0, 0, 0]
    (root / "splits.csv").write_text("\n".join(lines).replace("x3.png,test", "x3.png,train"))
    run("--continue_train", "--n_epochs", "2")
    assert [count_learnt(folder, [image]) for image in images] == [1, 1, 0, 1, 0, 0]
    (root / "splits.csv").write_text("\n".join([*lines[:1], "images/x4.png,train"]))
    tuned = run(*flags, "--n_epochs", "1", "--pretrained", "run", name="tuned")
    assert [count_learnt(tuned, [image]) for image in images] == [1, 1, 0, 1, 1, 0]
    record_learnt(run(*flags, "--n_epochs", "1", name="other"), [images[5]])
    starts = words("--model cycle_gan --pretrained run --pretrained_B other --lambda_identity 0")
    both = run(*flags, "--n_epochs", "1", *starts, name="both")
    assert [count_learnt(both, [image]) for image in images] == [1, 1, 0, 1, 1, 1]
    run(*flags, "--n_epochs", "1", "--overwrite")
    assert [count_learnt(folder, [image]) for image in images] == [0, 0, 0, 0, 1, 0]


def test_a_run_that_learns_to_draw_x_rays_from_masks_says_so(run, capsys):
    once = words("--n_epochs 1 --n_epochs_decay 0 --phantom_count 12")
    run(*SMALL, *once, "--direction", "BtoA")
    said = capsys.readouterr().out
    assert "note: --direction BtoA: this run learns to draw images from masks; for masks leave it out" in said
    assert re.search(r"time: a step takes [\d.e-]+ s, so an epoch about \d+ s, without validation", said)
    run(*SMALL, *once, name="usual")
    assert "BtoA" not in capsys.readouterr().out


@pytest.mark.parametrize(("phantom", "score"), [("chests", "Dice"), ("facades", "mIoU")])
def test_the_score_of_the_best_epoch_is_called_by_its_name(run, capsys, phantom, score):
    often = words(f"--phantom {phantom} --classes {'lungs' if phantom == 'chests' else phantom} --phantom_count 12")
    folder = run(*SMALL, *often, "--n_epochs", "1", "--n_epochs_decay", "0")
    assert re.search(rf"^best epoch: 1, validation {score} \d\.", capsys.readouterr().out, re.M)
    assert re.search(rf"^- Best epoch: 1, validation {score} \d\.", (folder / "README.md").read_text("utf-8"), re.M)
