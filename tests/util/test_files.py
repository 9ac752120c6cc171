"""The folder of a test's results is replaced whole or not at all, and no file of the user's is lost."""

import contextlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from util.errors import UserError
from util.files import LARGEST_JSON, read_options, replacing_folder, write_text
from util.locks import locked
from util.show.test_pictures import OURS


def results_folder(folder: Path) -> contextlib.AbstractContextManager[Path]:
    return replacing_folder(folder, OURS, "metrics.csv")


def test_a_failed_test_leaves_the_old_results_alone(tmp_path):
    folder = tmp_path / "test_latest"
    with results_folder(folder) as partial:
        (partial / "index.html").write_text("old")
        (partial / "metrics.csv").touch()

    def stop_halfway() -> None:
        with results_folder(folder) as partial:
            (partial / "index.html").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_halfway()
    assert (folder / "index.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["test_latest"]


def test_a_finished_test_replaces_the_results_and_keeps_notes(tmp_path):
    folder = tmp_path / "test_latest"
    with results_folder(folder) as partial:
        (partial / "images").mkdir()
        (partial / "images" / "gone.png").write_text("x")
        (partial / "metrics.csv").touch()
    (folder / "notes.txt").write_text("mine")
    with results_folder(folder) as partial:
        (partial / "index.html").write_text("new")
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "notes.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["test_latest"]


def test_a_corrected_mask_among_ours_outlasts_the_next_tests(tmp_path):
    """Also in a folder that a test made and left empty, and under a name that the next test writes."""
    folder = tmp_path / "test_latest"
    for number in (1, 2, 3):
        with results_folder(folder) as partial:
            (partial / "images" / "deep").mkdir(parents=True)
            (partial / "metrics.csv").touch()
            for name in ("a.png", f"{number}.png", "deep/b\x85.png"):
                (partial / "images" / name).write_text(f"test {number}")
            if number == 1:
                (partial / "masks").mkdir()
        for name in ("images/a_corrected.png", "images/2.png", "masks/c.png") if number == 1 else ():
            (folder / name).write_text("mine")
    kept = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.png")}
    assert kept == {
        **{f"images/{name}.png": "test 3" for name in ("a", "3", "deep/b\x85")},
        **{name: "mine" for name in ("images/a_corrected.png", "images/2_2.png", "masks/c.png")},
    }


@pytest.mark.parametrize("name", ["mine", "mine.old"])
def test_a_folder_that_no_test_wrote_is_refused(tmp_path, name):
    (tmp_path / name / "images").mkdir(parents=True)
    (tmp_path / name / "images" / "x.png").write_text("precious")
    with pytest.raises(UserError, match=f"{name}: not the result of a test"), results_folder(tmp_path / "mine"):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == [name, "images", "x.png"]


def test_an_empty_folder_can_hold_the_results(tmp_path):
    (tmp_path / "mine").mkdir()
    with results_folder(tmp_path / "mine") as partial:
        (partial / "index.html").write_text("new")
    assert (tmp_path / "mine" / "index.html").is_file()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failed_test_leaves_no_empty_folders(tmp_path):
    with pytest.raises(KeyboardInterrupt), results_folder(tmp_path / "results" / "name" / "test_latest"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_kill_between_the_renames_loses_nothing(tmp_path):
    (tmp_path / "test_latest.old").mkdir()
    (tmp_path / "test_latest.old" / "notes.txt").write_text("mine")
    (tmp_path / "test_latest.old" / "metrics.csv").touch()
    with results_folder(tmp_path / "test_latest"):
        pass
    assert (tmp_path / "test_latest" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("step", range(5))
def test_a_kill_in_the_exchange_loses_no_file_of_the_users(tmp_path, monkeypatch, step):
    """Killed before each step on the disk in turn: the notes are never in a folder that the next test deletes."""
    folder, steps = tmp_path / "test_latest", iter(range(step))

    def dying(do):
        def act(*args, **kwargs):
            if next(steps, None) is None:
                raise KeyboardInterrupt
            return do(*args, **kwargs)

        return act

    for text in ("old", "new", "newest"):
        with (
            contextlib.suppress(KeyboardInterrupt),
            monkeypatch.context() as patch,
            results_folder(folder) as partial,
        ):
            (partial / "index.html").write_text(text)
            (partial / "metrics.csv").touch()
            if text == "new":
                patch.setattr(Path, "rename", dying(Path.rename))
                patch.setattr("shutil.rmtree", dying(shutil.rmtree))
        if text == "old":
            (folder / "notes.txt").write_text("mine")
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "metrics.csv", "notes.txt"]
    assert (folder / "index.html").read_text() == "newest"
    assert (folder / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["test_latest"]


def test_notes_written_after_a_kill_do_not_overwrite_the_older_ones(tmp_path):
    for name in ("test_latest", "test_latest.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text(f"mine in {name}")
        (tmp_path / name / "metrics.csv").touch()
    message = "test_latest.old/notes.txt: left by a test that was killed, and "
    with pytest.raises(UserError, match=message), results_folder(tmp_path / "test_latest"):
        pass
    for name in ("test_latest", "test_latest.old"):
        assert (tmp_path / name / "notes.txt").read_text() == f"mine in {name}"


def test_a_second_test_into_one_folder_at_the_same_time_is_refused(tmp_path):
    """Their data may differ: which folder is free was decided before either of them wrote into it."""
    folder = tmp_path / "test_latest"
    with results_folder(folder) as first:
        (first / "metrics.csv").write_text("first")
        with pytest.raises(UserError, match="test_latest: another process writes there now"), results_folder(folder):
            pass
        with results_folder(tmp_path / "val_latest") as other:
            (other / "metrics.csv").touch()
    assert (folder / "metrics.csv").read_text() == "first"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["test_latest", "val_latest"]
    with results_folder(folder):
        pass


def test_the_next_start_removes_what_a_killed_test_wrote(tmp_path):
    (tmp_path / "test_latest.1234.partial" / "images").mkdir(parents=True)
    others = tmp_path / "test_latest_base.1234.partial", tmp_path / "test_latest.notes.partial"
    for other in others:
        other.mkdir()
    with results_folder(tmp_path / "test_latest"):
        assert not (tmp_path / "test_latest.1234.partial").exists()
    assert all(other.exists() for other in others)


def test_another_test_that_is_killed_in_its_exchange_meanwhile_loses_nothing(tmp_path):
    folder = tmp_path / "test_latest"
    with results_folder(folder) as partial:
        for name in ("test_latest", "test_latest.old"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "metrics.csv").touch()
        (tmp_path / "test_latest.old" / "notes.txt").write_text("mine")
        (partial / "metrics.csv").write_text("new")
    assert (folder / "metrics.csv").read_text() == "new"
    assert (folder / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["test_latest"]


def test_a_lock_admits_one_at_a_time_and_leaves_no_file(tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")

    def increase() -> None:
        for _ in range(5):
            with locked(tmp_path):
                counter.write_text(str(int(counter.read_text()) + 1))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(increase) for _ in range(4)]:
            done.result()
    assert counter.read_text() == "20"
    assert [path.name for path in tmp_path.iterdir()] == ["counter"]


@pytest.mark.parametrize(
    ("text", "why"),
    [("[" * 100_000, "nested too deep"), ("[1]", "not an object"), ("{", "Expecting"), ("9" * 5000, "")],
)
def test_damaged_options_are_named_with_the_reason(tmp_path, text, why):
    (tmp_path / "options.json").write_text(text)
    with pytest.raises(UserError, match=rf"options.json: damaged \(.*{why}"):
        read_options(tmp_path / "options.json")


def test_a_json_file_of_many_short_lists_ends_soon(tmp_path):
    """64 MB of them took 27 s. The most that is read takes 2 to 5 s."""
    path = tmp_path / "options.json"
    path.write_text("[" + "[]," * (LARGEST_JSON // 3) + "[]]")
    with pytest.raises(UserError, match="17 MB, more than any such file has"):
        read_options(path)


def test_a_json_file_of_100_mb_is_not_read(tmp_path):
    with (tmp_path / "options.json").open("wb") as file:
        file.truncate(100 << 20)
    with pytest.raises(UserError, match="105 MB, more than any such file has"):
        read_options(tmp_path / "options.json")


def test_a_folder_of_results_that_cannot_be_made_or_written_names_the_flag(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    inside, beside = (tmp_path / name / "run" / "test_latest" for name in ("file", "results"))
    with (
        pytest.raises(UserError, match="--results_dir: results cannot be .*file/run"),
        results_folder(inside),
    ):
        pass
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(UserError, match="--results_dir: .*denied; correct the permissions, or"), results_folder(beside):
        pass


def test_a_name_that_is_not_utf_8_is_named(tmp_path):
    with pytest.raises(
        UserError, match=r"list.csv: not written: '.*M.+udcfcller.*', the name of a file, is not UTF-8: ren"
    ):
        write_text(tmp_path / "list.csv", "image\nimages/M\udcfcller.png\n")
    assert not list(tmp_path.iterdir())
