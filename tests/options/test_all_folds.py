"""train.py --fold all: what its folds have in common, and what it refuses."""

from pathlib import Path

import pytest

from options.complete.all_folds import begin, planned, train_words
from options.train import TRAIN, parse
from tests.helpers import read_json
from util.errors import UserError
from util.run.aside import set_aside


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    (root / "images").mkdir(parents=True)
    list_folds(root, [0, 1, 2] * 2)
    return root


def list_folds(root, folds):
    lines = (f"images/{i}.png,train,{fold}" for i, fold in enumerate(folds))
    (root / "splits.csv").write_text("\n".join(["image,split,fold", *lines]))


@pytest.fixture
def asked(data, tmp_path):
    def options(*words, name="lungs", fold="all"):
        shared = ["--checkpoints_dir", str(tmp_path / "runs"), "--name", name, "--fold", fold]
        return parse(["--dataset_mode", "masks", "--dataroot", str(data), *shared, *words])

    return options


def start(opt, trained=()):
    """Begin, as train.py does, and leave the networks of the trained folds."""
    folder = Path(opt.checkpoints_dir) / opt.name
    folder.mkdir(parents=True, exist_ok=True)
    record = begin(opt, planned(opt))
    for fold in trained:
        (folder / f"fold_{fold}").mkdir(exist_ok=True)
        (folder / f"fold_{fold}" / "latest_net_G.pth").touch()
    record.trained = sorted({*record.trained, *trained})
    record.write(folder)
    return record


def test_a_fold_is_trained_by_the_flags_of_all(asked):
    opt = asked("--balance", "positives=0.3", "--patient_regex=-a b", "--lr", "0.01", "--netG", "unet_64", "--no_html")
    one = parse(train_words(TRAIN, opt, 1))
    assert vars(one) == vars(opt) | {"name": "lungs/fold_1", "fold": 1}


def test_a_start_goes_on_with_the_same_flags_only(asked, data, tmp_path):
    start(asked())
    start(asked("--lr", "0.1"), trained=[0])  # nothing was trained by other flags
    assert start(asked("--lr", "0.1", "--display_port", "9000")).trained == [0]
    with pytest.raises(UserError, match=r"all folds need the same flags, and now there is --lr 0.2 \(before: 0.1\)"):
        start(asked("--lr", "0.2"))
    assert start(parse(["--checkpoints_dir", str(tmp_path / "runs"), "--name", "lungs", "--continue_train"])).trained
    list_folds(data, [0, 1, 2, 2, 1, 0])
    with pytest.raises(
        UserError, match=r"the data are not what they were when these runs began \(folds or training images in"
    ):
        start(asked("--lr", "0.1"))
    assert start(asked("--lr", "0.2", "--overwrite")).trained == []
    assert (tmp_path / "runs" / "lungs" / "before" / "fold_0").is_dir()
    assert read_json(tmp_path / "runs" / "lungs" / "options.json")["overwrite"] is False


def test_a_verdict_between_two_folds_stops_the_rest(asked, data):
    for i in range(6):
        (data / "images" / f"{i}.png").touch()
    start(asked(), trained=[0])
    (data / "verdicts.csv").write_text("image,verdict\nimages/4.png,keep\n")
    assert start(asked()).trained == [0], "that one trains as before"
    (data / "verdicts.csv").write_text("image,verdict\nimages/4.png,drop\n")
    with pytest.raises(UserError, match="the data are not what they were when these runs began"):
        start(asked())
    assert start(asked("--overwrite"), trained=[0]).trained == [0]
    assert start(asked()).trained == [0]


@pytest.mark.parametrize("change", ["splits.csv", "masks/0.png", "images/0.png"])
def test_other_images_to_train_on_stop_the_rest(asked, data, change):
    """Also those that are in no fold and so train every run, and those whose masks were drawn anew."""
    (data / "masks").mkdir()
    for name in ("images/0.png", "masks/0.png"):
        (data / name).write_bytes(b"one")
    start(asked(), trained=[0])
    assert start(asked()).trained == [0]
    if change == "splits.csv":
        (data / change).write_text((data / change).read_text() + "\nimages/9.png,test,")
        assert start(asked()).trained == [0]
        (data / change).write_text((data / change).read_text() + "\nimages/10.png,train,")
    else:
        (data / change).write_bytes(b"another")
    with pytest.raises(UserError, match="the data are not what they were when these runs began"):
        start(asked())


def test_a_fold_whose_networks_are_gone_is_trained_again(asked, tmp_path):
    start(asked(), trained=[0, 1])
    (tmp_path / "runs" / "lungs" / "fold_1" / "latest_net_G.pth").unlink()
    assert start(asked()).trained == [0]


@pytest.mark.parametrize("trained", [[], [0]])
@pytest.mark.parametrize("fold", ["all", "0"])
def test_a_damaged_record_is_moved_aside_by_overwrite(asked, tmp_path, trained, fold):
    start(asked(), trained)
    folder = tmp_path / "runs" / "lungs"
    (folder / "folds.json").write_text("{")
    with pytest.raises(UserError, match=r"folds.json: damaged; .*or begin again with train.py --overwrite"):
        asked()
    opt = asked("--overwrite", fold=fold)
    if fold == "all":
        assert start(opt).trained == []
    else:
        set_aside(folder)  # as a single run does at its first epoch
        assert not (folder / "folds.json").exists()
    assert (folder / "before" / "folds.json").exists() == bool(trained)


def test_where_all_folds_are_trained_nothing_begins_unasked(asked):
    start(asked(), trained=[0, 1, 2])
    with pytest.raises(UserError, match="all 3 folds are trained; .*--phase out_of_fold scores them, --overwrite"):
        start(asked())


def test_a_list_needs_two_folds(asked, data):
    list_folds(data, [0, 0, 0])
    with pytest.raises(UserError, match="lists only fold 0; want at least two"):
        planned(asked())
    list_folds(data, ["", "", ""])
    with pytest.raises(UserError, match="lists no folds; python -m data.prepare masks .*data --folds 5"):
        planned(asked())
    (data / "splits.csv").unlink()
    with pytest.raises(UserError, match="has no splits.csv; python -m data.prepare masks .*data --folds 5 writes it"):
        planned(asked())


def test_a_name_is_that_of_a_single_run_or_of_all_folds(asked, tmp_path, monkeypatch):
    single = tmp_path / "runs" / "single"
    single.mkdir(parents=True)
    (single / "latest_net_G.pth").touch()
    with pytest.raises(UserError, match="single holds a single run, and --fold all needs a name"):
        asked(name="single")
    with pytest.raises(UserError, match="single is no cross-validation"):
        asked("--continue_train", name="single")
    start(asked(), trained=[0])
    with pytest.raises(UserError, match="lungs is a cross-validation; --fold all goes on .*--name lungs/fold_0"):
        asked("--continue_train", fold="1")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    with pytest.raises(UserError, match="--fold all starts a process for each fold by itself: leave torchrun out"):
        asked()
