"""The record of the files that a run has learnt from."""

from util.run.learnt import RECORD, count_learnt, record_learnt


def files(folder, *names):
    folder.mkdir(exist_ok=True)
    paths = [folder / name for name in names]
    for path in paths:
        path.write_bytes(path.name.encode() * 50_000)
    return paths


def test_a_file_is_known_by_its_path_and_by_its_content(tmp_path):
    run, (a, b, c) = tmp_path / "run", files(tmp_path / "d", "a", "b", "c")
    record_learnt(run, [a, b])
    assert count_learnt(run, [a, b, c]) == 2
    assert count_learnt(run, [c]) == 0
    a.write_bytes(b"rewritten")
    assert count_learnt(run, [a]) == 1
    assert count_learnt(run, [b.rename(tmp_path / "renamed")]) == 1
    assert count_learnt(run, [tmp_path / "gone"]) == 0


def test_files_that_differ_in_the_middle_alone_are_different(tmp_path):
    data = bytearray(1 << 20)
    (tmp_path / "a.dcm").write_bytes(data)
    data[(1 << 19) + 5] = 1
    (tmp_path / "b.dcm").write_bytes(data)
    record_learnt(tmp_path / "run", [tmp_path / "a.dcm"])
    assert count_learnt(tmp_path / "run", [tmp_path / "b.dcm"]) == 0


def test_what_an_earlier_run_learnt_from_is_kept(tmp_path):
    a, b, c = files(tmp_path / "d", "a", "b", "c")
    record_learnt(tmp_path / "donor", [a])
    record_learnt(tmp_path / "run", [b], earlier=[tmp_path / "donor", tmp_path / "none"])
    record_learnt(tmp_path / "run", [c], earlier=[tmp_path / "run"])
    assert count_learnt(tmp_path / "run", [a, b, c]) == 3
    assert count_learnt(tmp_path / "none", [a]) is None


def test_the_record_is_small_and_names_nobody(tmp_path):
    record_learnt(tmp_path / "run", files(tmp_path / "d", *(f"MRN-{i}" for i in range(100))))
    text = (tmp_path / "run" / RECORD).read_bytes()
    assert len(text) == 100 * 2 * 9
    assert b"MRN" not in text
