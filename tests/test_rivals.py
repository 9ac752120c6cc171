"""train.py --adapt ewc, --adapt lwf and --replay as a user runs them."""

import shutil

import pytest
import torch

from tests.helpers import read_json, words
from util.errors import UserError
from util.run.aside import read_burden

TINY = words(
    "--netG unet_64 --ngf 4 --ndf 4 --load_size 70 --crop_size 64 --gpu_ids -1 --display_id 0 --no_html "
    "--num_threads 0 --dataset_mode phantom --phantom_count 4 --val_freq 0 --n_epochs_decay 0"
)
FACADES = ("--phantom", "facades", "--n_epochs", "1")


def weights(folder, name: str = "latest_net_G.pth"):
    return torch.load(folder / name, weights_only=True)


def same(one, other) -> bool:
    first, second = weights(one), weights(other)
    return all(torch.equal(first[key], second[key]) for key in first)


@pytest.fixture
def donor(run):
    return run(*TINY, *FACADES, name="donor")


@pytest.mark.parametrize("how", ["--adapt ewc", "--adapt lwf", "--replay 2"])
def test_an_interrupted_run_ends_as_if_it_had_not_been(run, donor, how, capsys):
    flags = [*TINY, "--pretrained", "donor", *words(how)]
    whole = run(*flags, "--n_epochs", "2", name="whole")
    parts = run(*flags, "--n_epochs", "1", name="parts")
    shutil.rmtree(donor)
    torch.manual_seed(12345)
    run("--continue_train", "--n_epochs", "2", name="parts")
    assert same(whole, parts)
    images = 2 * ("replay" in how)
    size = images * 70 * 70 * 4 if images else (whole / "old_task.pth").stat().st_size
    donors = {"images": images, "patients": images, "bytes": images * 70 * 70 * 4}
    with pytest.raises(UserError, match="--old_data other: .* which cannot change"):
        run("--continue_train", "--old_data", "other", "--n_epochs", "3", name="parts")
    burden = read_json(whole / "old_task.json")
    assert read_json(parts / "old_task.json") == burden
    assert burden["tasks"][0].pop("options", {}).get("phantom") == ("facades" if images else None)
    assert burden == {**donors, "bytes": size, "tasks": [{"name": "donor", **donors}]}
    said = f"kept of the old task donor: {images} images of {images} patients; {size / 1e6:.1f} MB"
    assert said in capsys.readouterr().out


def test_a_run_that_was_killed_before_its_first_epoch_ended_starts_again(run, donor):
    flags = [*TINY, *words("--pretrained donor --n_epochs 1")]
    folder = run(*flags, *words("--adapt ewc"), name="killed")
    for path in folder.glob("latest_*"):
        path.unlink()
    assert (folder / "old_task.pth").is_file()
    run(*flags, name="killed")
    assert (folder / "latest_net_G.pth").is_file()
    assert read_burden(folder) == {}, "the new run fine-tunes, and keeps nothing"


@pytest.fixture
def second(run, donor):
    """A run that fine-tuned the donor, by --adapt ewc."""
    return run(*TINY, *words("--pretrained donor --adapt ewc --n_epochs 1"), name="second")


@pytest.mark.parametrize("how", ["--adapt ewc", "--adapt lwf", "--replay 2", "--adapt ewc --replay 2"])
def test_a_third_task_holds_the_first_two_and_goes_on_exactly(run, donor, second, how, capsys):
    flags = [*TINY, *words("--phantom pneumothorax --pretrained second"), *words(how)]
    whole = run(*flags, "--n_epochs", "2", name="whole")
    parts = run(*flags, "--n_epochs", "1", name="parts")
    for folder in (donor, second):
        shutil.rmtree(folder)
    run("--continue_train", "--n_epochs", "2", name="parts")
    assert same(whole, parts)
    burden = read_json(whole / "old_task.json")
    assert burden == read_json(parts / "old_task.json")
    stored = 2 * ("replay" in how)
    assert [(task["name"], task["images"]) for task in burden["tasks"]] == [("donor", stored), ("second", stored)]
    assert read_burden(whole) == {kind: burden[kind] for kind in ("images", "patients", "bytes")}
    assert burden["images"] == 2 * stored
    assert "kept of the old tasks donor, second: " in capsys.readouterr().out


def test_without_weight_both_are_fine_tuning_bit_for_bit_and_with_it_nearer_to_the_donor(run, donor):
    flags = [*TINY, *words("--pretrained donor --n_epochs 2 --lr 0.002")]
    tuned = run(*flags, name="tuned")
    start, moved = weights(donor), {}
    for how in ("ewc", "lwf"):
        assert same(tuned, run(*flags, "--adapt", how, "--old_weight", "0", name=f"{how}_0"))
        held = weights(run(*flags, "--adapt", how, "--old_weight", "1e9", name=how))
        moved[how] = held
    fisher = torch.load(tuned.parent / "ewc" / "old_task.pth", weights_only=True)["fisher"]

    def distance(state) -> float:
        return sum(float((fisher[name] * (state[name] - start[name]) ** 2).sum()) for name in fisher)

    assert distance(moved["ewc"]) < distance(weights(tuned)) / 10
    assert not same(tuned, tuned.parent / "lwf")


def test_replay_learns_from_the_old_images_too(run, donor):
    from util.run.log import read_metrics

    folder = run(*TINY, *words("--pretrained donor --replay all --n_epochs 1"))
    (row,) = read_metrics(folder / "metrics.csv")
    assert row["old_G_L1"] > 0
    assert row["iters"] == 4


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--replay 0", "0 must be at least 1"),
        ("--replay some", "some: want a whole number"),
        ("--replay 9 --pretrained donor", "--replay 9: the old task donor has 4 training images; take --replay all"),
        ("--replay 2", "--replay 2 keeps the task of a donor: name it with --pretrained"),
        ("--adapt lwf", "--adapt lwf keeps the task of a donor: name it with --pretrained"),
        ("--replay 2 --pretrained donor --adapt masks", "--replay 2: with --adapt masks the donor is frozen"),
        ("--adapt ewc --pretrained donor --model supervised", "--adapt ewc: only for --model pix2pix, not for superv"),
        ("--replay 2 --pretrained donor --model cycle_gan", "--replay 2: only for --model pix2pix, not for cycle_gan"),
        (
            "--adapt lwf --pretrained donor --lambda_L1 0",
            "--adapt lwf: its loss is in the unit of the new task's, which is 0; raise --lambda_L1",
        ),
        ("--old_weight 1 --pretrained donor", "--old_weight 1.0: it needs --adapt ewc or lwf, or --replay"),
        ("--old_weight 1 --pretrained donor --replay 2", "--old_weight 1.0: it needs --adapt ewc or lwf"),
        ("--old_data x --pretrained donor", "--old_data x: it needs --adapt ewc or lwf, or --replay"),
        ("--adapt ewc --pretrained donor --old_data nowhere", "old task .*nowhere"),
        (
            "--adapt ewc --pretrained donor --old_mode nonsense --old_data .",
            "old_mode nonsense: unknown; choose one of",
        ),
        (
            "--adapt ewc --pretrained donor --output_nc 1",
            "--output_nc 1: the old task of --pretrained donor has 3 chan",
        ),
        ("--adapt ewc --pretrained plain", "--pretrained plain: plain does not record which images its task has: name"),
    ],
)
def test_mistakes_end_in_one_line(run, donor, tmp_path, flags, message):
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "latest_net_G.pth").write_bytes((donor / "latest_net_G.pth").read_bytes())
    with pytest.raises(UserError, match=message) as error:
        run(*TINY, "--n_epochs", "1", *words(flags))
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_over_three_tasks_all_rivals_forget_less_than_fine_tuning(run, tmp_path):
    """Facades, then chests, then facades from their labels. Each rival keeps more of the first two, seen together."""
    from data import create_dataset
    from models import create_model
    from options.train import parse

    small = words(
        "--netG unet_64 --ngf 8 --ndf 8 --load_size 72 --crop_size 64 --gpu_ids -1 --display_id 0 --no_html "
        "--num_threads 0 --dataset_mode phantom --phantom_count 40 --val_freq 0 --n_epochs_decay 0 --lr 0.0004"
    )
    facades, chests = words("--phantom facades"), words("--phantom chests")

    def error(name: str, task: list[str]) -> float:
        """Mean distance of a run's outputs to the targets of a task's test images."""
        opt = parse([*small, *task, "--checkpoints_dir", str(tmp_path), "--pretrained", name])
        model = create_model(opt, torch.device("cpu"), training=True)
        data = create_dataset(opt, "test", train=False).dataset
        items = [data[index] for index in range(len(data))]
        return sum(float((model.translate(i["A"][None]) - i["B"][None]).abs().mean()) for i in items) / len(items)

    run(*small, *facades, "--n_epochs", "4", name="donor")
    forgot, left = {}, {}
    for how in ("--adapt finetune", "--adapt ewc", "--adapt lwf", "--replay 5"):
        start = "donor"
        for task in (chests, [*facades, "--direction", "BtoA"]):
            last = run(*small, *task, "--pretrained", start, "--n_epochs", "2", *words(how), name=f"{how}_{start}").name
            if task is chests:
                learnt = error("donor", facades) + error(last, chests)
            start = last
        left[how] = error(start, facades) + error(start, chests)
        forgot[how] = left[how] - learnt
    for how in ("--adapt ewc", "--adapt lwf", "--replay 5"):
        assert forgot[how] < 0.75 * forgot["--adapt finetune"], forgot
        assert left[how] < left["--adapt finetune"], left
