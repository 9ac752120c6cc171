"""--dataset_mode masks: images/ and masks/."""

import contextlib

import numpy as np
import pytest
import torch
from PIL import Image

from data import create_dataset, create_validation
from data.masks import MasksDataset, find_rows
from data.read.folders import NoForeground, NoSuchPhase
from tests.dicoms import write_dicom
from util.errors import UserError


def names(dataset) -> set[str]:
    return set(dataset.ids)


def write_list(root, *lines: str) -> None:
    (root / "splits.csv").write_text("\n".join(lines) + "\n")


def test_without_a_list_patients_are_divided_among_the_phases(lungs, flags):
    parts = [names(MasksDataset(flags(dataroot=lungs), phase, train=False)) for phase in ("train", "val", "test")]
    everything = names(MasksDataset(flags(dataroot=lungs), "all", train=False))
    assert everything == set.union(*parts) == {f"p{i}" for i in range(10)}
    assert sum(map(len, parts)) == 10
    other = names(MasksDataset(flags(dataroot=lungs, split_seed=5), "train", train=False))
    assert other != parts[0]


def test_an_empty_phase_is_an_error_that_lists_the_other_phases(lungs, flags):
    for i in (7, 8):
        (lungs / "images" / f"p{i}.png").unlink()
        (lungs / "masks" / f"p{i}.png").unlink()
    with pytest.raises(NoSuchPhase, match=r"no image is in phase 'val'; there are test \(1\), train \(7\); a splits"):
        MasksDataset(flags(dataroot=lungs), "val", train=False)


def test_all_images_of_a_patient_are_in_one_phase(lungs, flags):
    one = flags(dataroot=lungs, patient_regex=r"^(p)\d")
    dataset = MasksDataset(one, "all", train=False)
    assert set(dataset.patients) == {"p"}
    phases = {}
    for phase in ("train", "val", "test"):
        with contextlib.suppress(NoSuchPhase):
            phases[phase] = len(MasksDataset(one, phase, train=False))
    assert list(phases.values()) == [10]


def test_the_patient_of_a_dicom_file_comes_from_its_header(lungs, flags):
    """The ID must not become visible, so a patient is named after their first image."""
    pixels = np.zeros((16, 16), np.uint8)

    def phases(*owners: str) -> dict[str, tuple[str, str]]:
        for i, owner in enumerate(owners):
            (lungs / "images" / f"p{i}.png").unlink(missing_ok=True)
            write_dicom(lungs / "images" / f"p{i}.dcm", pixels, PatientID=owner)
        return {name: (row.patient, row.split) for name, row in find_rows(lungs).items()}

    alone = phases(*(f"MRN-{i}" for i in range(10)))
    assert all(patient == name for name, (patient, _) in alone.items())
    two = phases(*("MRN-3" if i % 2 else "MRN-8" for i in range(10)))
    assert two == {f"p{i}": ("p1", alone["p3"][1]) if i % 2 else ("p0", alone["p8"][1]) for i in range(10)}
    blanked = phases(*["anonymous"] * 10)
    assert all(patient == name for name, (patient, _) in blanked.items())
    assert len({split for _, split in blanked.values()}) > 1
    Image.fromarray(pixels).save(lungs / "images" / "x.png")
    assert phases(*["anonymous"] * 10).items() > blanked.items(), "a file without any ID changes nothing"


def test_new_images_move_no_earlier_image_to_another_split(lungs, save):
    """Equal names in a second sub-folder once changed the ids by which the split was drawn."""
    image = np.zeros((8, 8), np.uint8)
    for folder in ("", "A", "A/deep", "B", "new"):
        before = {row.image: (row.split, row.patient) for row in find_rows(lungs).values()}
        for i in range(30):
            save(lungs / "images" / folder / f"p{i}.png", image)
        save(lungs / "images" / folder / "p3.jpg", image)
        after = {row.image: (row.split, row.patient) for row in find_rows(lungs).values()}
        assert after.items() >= before.items()
    whole = [[split for path, (split, _) in after.items() if path.stem == f"p{i}"] for i in range(30)]
    assert any(len({*splits}) > 1 for splits in whole), "each folder has its own draw"


def test_a_patient_regex_finds_the_same_patient_whatever_other_images_there_are(lungs, save):
    image = np.zeros((8, 8), np.uint8)

    def patients(regex: str) -> dict[str, str]:
        return {
            row.image.relative_to(lungs / "images").as_posix(): row.patient for row in find_rows(lungs, regex).values()
        }

    save(lungs / "images" / "A" / "p77_2.png", image)
    before = [patients(regex) for regex in (r"^(p\d+)", r"p\d", r"^[Ap]")]
    assert (before[0]["A/p77_2.png"], before[2]["A/p77_2.png"]) == ("p77", "A")
    save(lungs / "images" / "p77_2.png", image)
    save(lungs / "images" / "B" / "p77_2.png", image)
    assert patients(r"^(p\d+)").items() > before[0].items()
    assert patients(r"p\d").items() > before[1].items()


@pytest.mark.parametrize(("regex", "message"), [("(", "--patient_regex"), ("q", "finds nothing in 'p0'")])
def test_a_bad_patient_regex_is_refused(lungs, flags, regex, message):
    with pytest.raises(UserError, match=message):
        MasksDataset(flags(dataroot=lungs, patient_regex=regex), "all", train=False)


def test_a_list_gives_phase_source_patient_and_mask(lungs, flags):
    write_list(
        lungs,
        "image,mask,split,source,patient",
        "images/p0.png,,train,A,anna",
        "images/p1.png,masks/p2.png,test,A,anna",
        "images/p2.png,masks/p1.png;masks/p2.png,test,B,",
    )
    dataset = MasksDataset(flags(dataroot=lungs), "test", train=False)
    assert (dataset.ids, dataset.patients, dataset.sources) == (["p1", "p2"], ["anna", "p2"], ["A", "B"])
    one, two = (np.asarray(MasksDataset(flags(dataroot=lungs), "test", train=False).truth(i)) for i in (0, 1))
    assert two.sum() > one.sum()
    assert MasksDataset(flags(dataroot=lungs, source="B"), "all", train=False).ids == ["p2"]
    assert MasksDataset(flags(dataroot=lungs, source="A, B"), "all", train=False).ids == ["p0", "p1", "p2"]
    with pytest.raises(UserError, match="--source C: .*splits.csv lists A, B"):
        MasksDataset(flags(dataroot=lungs, source="C"), "all", train=False)
    with pytest.raises(NoSuchPhase, match=r"'val'; there are test \(2\), train \(1\)"):
        MasksDataset(flags(dataroot=lungs), "val", train=False)


PHASES = ("train", "val", "out_of_fold", "test")


def list_folds(root, *lines):
    write_list(root, "image,split,fold,patient,source", *lines)


def test_a_fold_is_kept_aside_and_the_others_train_and_validate(lungs, flags):
    list_folds(lungs, *(f"images/p{i}.png,{'train' if i % 2 else 'val'},{i % 3},," for i in range(9)))
    with (lungs / "splits.csv").open("a") as file:
        file.write("images/p9.png,test,,,\n")

    def phases(fold):
        return [set(MasksDataset(flags(dataroot=lungs, fold=fold), phase, train=False).ids) for phase in PHASES]

    validated = set()
    for fold in range(3):
        train, val, held_out, test = phases(fold)
        assert held_out == {f"p{i}" for i in range(fold, 9, 3)}
        assert (len(train), len(val), test) == (5, 1, {"p9"})
        assert train | val | held_out | test == {f"p{i}" for i in range(10)}
        validated |= val
    assert len(validated) > 1, "another image validates each fold, so every image trains some run"
    list_folds(lungs, *(f"images/p{i}.png,test,{i % 3},," for i in range(9)))
    with pytest.raises(NoSuchPhase, match=r"'test'; .* out_of_fold \(3\), train \(5\), val \(1\); --phase out_of_fold"):
        phases(0)


def test_val_is_drawn_by_patient_and_source_so_that_a_source_changes_no_phase(lungs, flags):
    patients = [(f"P{i // 2}", i // 2 % 2, "AB"[i > 5]) for i in range(10)]
    list_folds(lungs, *(f"images/p{i}.png,train,{fold},{who},{where}" for i, (who, fold, where) in enumerate(patients)))
    for fold in (0, 1):
        whole = [set(MasksDataset(flags(dataroot=lungs, fold=fold), phase, train=False).ids) for phase in PHASES[:3]]
        assert all({f"p{int(name[1]) ^ 1}" for name in part} == part for part in whole), "patients stay together"
        for source in "AB":
            for phase, ids in zip(PHASES[:3], whole, strict=True):
                own = {name for name in ids if patients[int(name[1])][2] == source}
                opt = flags(dataroot=lungs, fold=fold, source=source)
                if own:
                    assert set(MasksDataset(opt, phase, train=False).ids) == own


@pytest.mark.parametrize(
    ("lines", "fold", "error"),
    [
        (["images/p0.png,train,0,,", "images/p1.png,train,1,,"], 3, "--fold 3: .*splits.csv lists fold 0, 1"),
        (["images/p0.png,train,a,,", "images/p1.png,train,1,,"], 1, "lists fold 'a'; want whole numbers"),
        (["images/p0.png,train,,,"], 0, "--fold 0: .*lists no folds; python -m data.prepare masks .*lungs --folds 5"),
        (["images/p0.png,train,0,P,", "images/p1.png,train,1,P,"], 0, "patient P is in fold 0 and in fold 1: a run"),
        (["images/p0.png,train,0,P,", "images/p1.png,test,,P,"], 0, r"patient P is in fold 0 and in no fold \(test\)"),
        (["images/p0.png,train,0,,", "images/p1.png,train,1,,"], "all", "--fold all: only train.py takes it"),
    ],
)
def test_folds_that_cannot_be_used_are_refused(lungs, flags, lines, fold, error):
    list_folds(lungs, *lines)
    with pytest.raises(UserError, match=error):
        MasksDataset(flags(dataroot=lungs, fold=fold), "train", train=False)


def test_folds_need_a_list_with_folds(lungs, flags):
    with pytest.raises(UserError, match="--fold 0: .*splits.csv lists no folds"):
        MasksDataset(flags(dataroot=lungs, fold=0), "train", train=False)


def test_a_source_needs_a_list(lungs, flags):
    with pytest.raises(UserError, match="--source A: .*splits.csv"):
        MasksDataset(flags(dataroot=lungs, source="A"), "all", train=False)


def test_a_listed_file_that_does_not_exist_is_an_error(lungs, flags):
    write_list(lungs, "image,mask,split", "images/p0.png,masks/gone.png,train")
    with pytest.raises(UserError, match="masks/gone.png: no such file"):
        MasksDataset(flags(dataroot=lungs), "train", train=False)


def test_an_image_without_a_mask_or_a_mask_without_an_image_is_an_error(lungs, flags):
    (lungs / "masks" / "p3.png").unlink()
    with pytest.raises(UserError, match=r"images/p3.png: no mask of this name in .*masks; --skip_bad_files"):
        MasksDataset(flags(dataroot=lungs), "all", train=False)
    (lungs / "images" / "p4.png").unlink()
    with pytest.raises(UserError, match=r"p3.png: no mask .* \(and 1 more such files\)"):
        MasksDataset(flags(dataroot=lungs), "all", train=False)
    dataset = MasksDataset(flags(dataroot=lungs, skip_bad_files=True), "all", train=False)
    assert names(dataset) == {f"p{i}" for i in (0, 1, 2, 5, 6, 7, 8, 9)}
    assert [line.split(": ")[1][:20] for line in dataset.skipped] == ["no mask of this name", "no image of this nam"]


def test_each_phase_reports_its_own_problems_and_val_reports_no_stray_masks(lungs, flags):
    everywhere = {phase: MasksDataset(flags(dataroot=lungs), phase, train=False).ids for phase in ("train", "val")}
    missing = {phase: ids[0] for phase, ids in everywhere.items()}
    for name in missing.values():
        (lungs / "masks" / f"{name}.png").rename(lungs / "masks" / f"no{name}.png")
    opt = flags(dataroot=lungs, skip_bad_files=True)
    skipped = {phase: MasksDataset(opt, phase, train=False).skipped for phase in missing}
    strays = sorted(lungs.glob("masks/no*"))
    assert [line.split(": ")[0] for line in skipped["train"]] == [
        str(path) for path in (lungs / "images" / f"{missing['train']}.png", *strays)
    ]
    assert [line.split(": ")[0] for line in skipped["val"]] == [str(lungs / "images" / f"{missing['val']}.png")]


def test_a_listed_image_that_does_not_exist_is_not_said_to_lack_a_mask(lungs, flags):
    write_list(lungs, "image,split", *(f"images/p{i}.png,train" for i in range(10)), "images/gone.png,train")
    with pytest.raises(UserError, match=r"splits.csv: lists .*gone.png, but there is no such file"):
        MasksDataset(flags(dataroot=lungs), "train", train=True)


def in_phase_folders(lungs):
    """Move images and masks into images/train, masks/train, ...: six, two and two."""
    for i in range(10):
        phase = "train" if i < 6 else "val" if i < 8 else "test"
        for folder in ("images", "masks"):
            (lungs / folder / phase).mkdir(exist_ok=True)
            (lungs / folder / f"p{i}.png").rename(lungs / folder / phase / f"p{i}.png")


def test_folders_in_images_named_after_phases_are_the_phases(lungs, flags):
    in_phase_folders(lungs)
    phases = {
        phase: names(MasksDataset(flags(dataroot=lungs), phase, train=False)) for phase in ("train", "val", "test")
    }
    assert phases == {"train": {f"p{i}" for i in range(6)}, "val": {"p6", "p7"}, "test": {"p8", "p9"}}
    (lungs / "images" / "train" / "p0.png").rename(lungs / "images" / "p0.png")
    with pytest.raises(UserError, match=r"folders test, train, val are phases, but 1 images are in none, .*p0.png"):
        MasksDataset(flags(dataroot=lungs), "train", train=True)


def test_one_such_folder_alone_is_no_split(lungs, flags):
    for folder in ("images", "masks"):
        (lungs / folder).rename(lungs / "train")
        (lungs / folder).mkdir()
        (lungs / "train").rename(lungs / folder / "train")
    assert 0 < len(MasksDataset(flags(dataroot=lungs), "train", train=True)) < 10


@pytest.mark.parametrize(
    ("train", "test", "advice"), [("train", "Test", "Test to test"), ("training", "dev", "dev to val")]
)
def test_folders_that_look_like_phases_are_no_silent_draw(lungs, flags, train, test, advice):
    in_phase_folders(lungs)
    for folder in ("images", "masks"):
        (lungs / folder / "val").rename(lungs / folder / "other")
        (lungs / folder / "test").rename(lungs / folder / test)
        (lungs / folder / "train").rename(lungs / folder / train)
    with pytest.raises(
        UserError, match=f"look like phases, which are called train, val, test: rename {advice} or merge them, or list"
    ):
        MasksDataset(flags(dataroot=lungs), "train", train=True)
    write_list(lungs, "image,split", *(f"images/{train}/p{i}.png,train" for i in range(6)))
    assert len(MasksDataset(flags(dataroot=lungs), "train", train=True)) == 6


@pytest.mark.parametrize("name", ["Splits.csv", "split.csv"])
def test_a_list_of_nearly_the_right_name_is_not_ignored(lungs, flags, name):
    (lungs / name).write_text("image,split\nimages/p0.png,train\n")
    with pytest.raises(UserError, match=f"{name}: the list of phases is called splits.csv: rename it"):
        MasksDataset(flags(dataroot=lungs), "train", train=True)


def test_a_list_of_something_else_is_no_list_of_phases(lungs, flags):
    (lungs / "split.csv").write_text("id,fold\np0,1\n")
    assert len(MasksDataset(flags(dataroot=lungs), "all", train=False)) == 10


def test_what_an_interrupted_data_prepare_left_does_not_train(lungs, flags):
    (lungs / ".prepare.json").write_text("{}")
    with pytest.raises(
        UserError, match="its splits.csv is missing, because data.prepare was interrupted or .*: run data"
    ):
        MasksDataset(flags(dataroot=lungs), "train", train=True)


def test_a_list_of_absolute_paths_means_what_one_of_relative_paths_means(lungs, flags, monkeypatch):
    for folder in ("images", "masks"):
        (lungs / folder / "a").mkdir()
        (lungs / folder / "p0.png").rename(lungs / folder / "a" / "p1.png")
    images = ["images/a/p1.png", *(f"images/p{i}.png" for i in range(1, 10))]
    write_list(lungs, "image,split", *(f"{name},train" for name in images))
    relative = MasksDataset(flags(dataroot=lungs), "train", train=True)
    write_list(lungs, "image,split", *(f"{lungs / name},train" for name in images))
    monkeypatch.chdir(lungs.parent)
    absolute = MasksDataset(flags(dataroot=lungs.name), "train", train=True)
    assert absolute.ids == relative.ids
    assert absolute.patients == relative.patients


def test_a_name_is_found_in_the_form_of_another_system(lungs, flags, save):
    composed, decomposed = "M\u00fcller", "Mu\u0308ller"
    for folder in ("images", "masks"):
        (lungs / folder / "p0.png").rename(lungs / folder / f"{decomposed}.png")
    write_list(lungs, "image,split", f"images/{composed}.png,train", "images/p1.png,train")
    assert names(MasksDataset(flags(dataroot=lungs), "train", train=True)) == {composed, "p1"}


def test_a_patient_in_two_phases_is_noted(lungs, flags):
    lines = [f"images/p{i}.png,{'train' if i < 6 else 'test'},{i % 6}" for i in range(10)]
    write_list(lungs, "image,split,patient", *lines)
    notes = MasksDataset(flags(dataroot=lungs), "train", train=True).notes
    assert notes == ["4 of 6 patients in train have images in test too, such as 0; scores there will be too good"]


def test_images_that_take_no_part_are_noted(lungs, flags):
    lines = [f"images/p{i}.png,{'Train' if i == 6 else '' if i == 7 else 'train'}" for i in range(8)]
    write_list(lungs, "image,split", *lines)
    notes = MasksDataset(flags(dataroot=lungs), "train", train=True).notes
    images = lungs / "images"
    assert notes == [
        f"2 images in {images} are not in splits.csv, such as {images / 'p8.png'}",
        "2 images have split Train, none in splits.csv and take no part, since that is none of train, val and test, "
        f"such as {images / 'p6.png'}",
    ]


def test_images_that_a_list_names_otherwise_take_part(lungs, flags):
    """By absolute paths, as masks, or in a phase of the user's own."""
    lines = [f"{lungs / 'images' / f'p{i}.png'},images/mask{i}.png,mine" for i in range(10)]
    for i in range(10):
        (lungs / "masks" / f"p{i}.png").rename(lungs / "images" / f"mask{i}.png")
    write_list(lungs, "image,mask,split", *lines)
    assert MasksDataset(flags(dataroot=lungs, phase="mine"), "mine", train=True).notes == []
    assert MasksDataset(flags(dataroot=lungs, phase="all"), "all", train=True).notes == []


def test_images_alone_can_be_tested_but_not_trained_on(lungs, flags):
    for mask in (lungs / "masks").iterdir():
        mask.unlink()
    (lungs / "masks").rmdir()
    dataset = MasksDataset(flags(dataroot=lungs), "all", train=False)
    assert not dataset.has_targets
    assert dataset.truth(0) is None
    assert "B" not in dataset[0]
    with pytest.raises(UserError, match="p0.png: no mask of this name"):
        MasksDataset(flags(dataroot=lungs), "all", train=True)


def test_truth_has_the_original_size_and_the_batch_the_size_of_the_network(lungs, flags):
    dataset = MasksDataset(flags(dataroot=lungs), "all", train=False)
    item, truth = dataset[2], dataset.truth(2)
    assert truth.shape == (48, 40)
    assert truth.dtype == np.uint8
    assert truth[15, 6] == 1
    assert truth.sum() == (30 - 12) * (22 - 5)
    assert item["A"].shape == item["B"].shape == (3, 32, 32)
    assert item["size"].tolist() == [48, 40]
    assert item["index"] == 2
    assert item["A_paths"].endswith("images/p2.png")
    assert item["B_paths"].endswith("masks/p2.png")
    assert set(item["B"].unique().tolist()) == {-1, 1}
    assert dataset.image(2).shape == (48, 40, 3)


def test_training_data_has_ground_truth_too(lungs, flags):
    dataset = MasksDataset(flags(dataroot=lungs), "all", train=True)
    assert dataset.truth(2).sum() == (30 - 12) * (22 - 5)


def test_direction_b_to_a_makes_masks_the_input(lungs, flags):
    dataset = MasksDataset(flags(dataroot=lungs, direction="BtoA", input_nc=1), "all", train=False)
    item = dataset[0]
    assert item["A"].shape == (1, 32, 32)
    assert set(item["A"].unique().tolist()) == {-1, 1}
    assert item["B"].shape == (3, 32, 32)
    assert len(item["B"].unique()) > 50
    assert "masks" in item["A_paths"]
    assert "images" in item["B_paths"]
    assert dataset.classes is None
    assert dataset.truth(0) is None
    assert set(np.unique(dataset.image(0)).tolist()) == {0, 255}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_nc": 2}, "--input_nc 2"),
        ({"output_nc": 4}, "--output_nc 4"),
        ({"classes": "facades", "output_nc": 1}, "--output_nc 1: one channel can show two classes, not 12"),
        ({"dataroot": ""}, "--dataroot is missing"),
        ({"dataroot": "nowhere/at/all"}, "nowhere/at/all: no such folder"),
        ({"dataroot": __file__}, "a file, not a folder"),
    ],
)
def test_flags_that_contradict_the_data_set_are_refused(lungs, flags, changes, message):
    with pytest.raises(UserError, match=message):
        MasksDataset(flags(**{"dataroot": lungs} | changes), "all", train=False)


def test_a_folder_without_images_is_an_error(tmp_path, flags):
    with pytest.raises(UserError, match="no folder images/ in it.*--dataset_mode single"):
        MasksDataset(flags(dataroot=tmp_path), "test", train=False)
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match="no images in images/"):
        MasksDataset(flags(dataroot=tmp_path), "test", train=False)


def test_an_image_and_a_mask_of_different_sizes_are_both_named(lungs, flags, save):
    save(lungs / "masks" / "p5.png", np.zeros((40, 48), np.uint8))
    with pytest.raises(UserError, match=r"masks/p5.png: 48 x 40 pixels, but its image .*images/p5.png has 40 x 48"):
        MasksDataset(flags(dataroot=lungs), "all", train=False)


def test_train_images_draws_training_images_and_does_not_change_other_phases(lungs, flags):
    def drawn(phase="train", **changes) -> list[str]:
        return MasksDataset(flags(dataroot=lungs, **changes), phase, train=phase == "train").ids

    everything, few, more = drawn(), drawn(train_images=2), drawn(train_images=4)
    assert (len(few), len(more)) == (2, 4)
    assert set(few) < set(more) < set(everything)
    assert more == sorted(more)
    assert more != everything[:4]  # not the first of the list
    assert drawn("test", train_images=2) == drawn("test")


@pytest.mark.parametrize("count", [-1, 100])
def test_train_images_cannot_exceed_the_number_of_images(lungs, flags, count):
    with pytest.raises(UserError, match=f"--train_images {count}: want 1 to 7"):
        MasksDataset(flags(dataroot=lungs, train_images=count), "train", train=True)


def test_max_dataset_size_takes_the_first_images_in_sorted_order(lungs, flags):
    assert MasksDataset(flags(dataroot=lungs, max_dataset_size=3), "all", train=False).ids == ["p0", "p1", "p2"]


def test_unusual_file_names_are_read(lungs, flags, save):
    name = "<b>&\"'%20 ä 肺 #?"
    image = np.zeros((48, 40), np.uint8)
    save(lungs / "images" / f"{name}.png", image)
    save(lungs / "masks" / f"{name}_mask.png", image)
    dataset = MasksDataset(flags(dataroot=lungs), "all", train=False)
    assert name in dataset.ids
    assert dataset[dataset.ids.index(name)]["A_paths"].endswith(f"{name}.png")


def test_real_lungs_are_split_as_published(real_data, flags):
    opt = flags(dataroot=real_data / "lungs", max_dataset_size=500)
    loader = create_dataset(opt, "val", train=False)
    assert len(loader.dataset) == 70
    assert loader.dataset.sources.count("montgomery") == 14
    assert len(MasksDataset(flags(dataroot=real_data / "lungs", source="montgomery"), "train", True)) == 96
    batch = next(iter(loader))
    assert batch["A"].shape == (1, 3, 32, 32)
    assert 0.1 < (batch["B"] > 0).float().mean() < 0.5


def test_classes_with_a_side_are_not_flipped(lungs, flags):
    opt = flags(dataroot=lungs, classes="left lung", load_size=32)
    dataset = MasksDataset(opt, "all", train=True)
    views = [dataset[0, epoch]["B"] for epoch in range(20)]
    assert all(torch.equal(view, views[0]) for view in views)
    assert dataset.notes == ["no image is flipped: in a mirror image left lung would be the wrong class"]
    opt.classes = "lung"
    dataset = MasksDataset(opt, "all", train=True)
    assert len({tuple(dataset[0, epoch]["B"].sum((0, 1)).tolist()) for epoch in range(20)}) == 2


@pytest.mark.parametrize("preprocess", ["crop", "none", "resize_and_crop", "scale_width_and_crop"])
def test_a_mask_follows_its_image_through_every_crop_and_flip(lungs, flags, save, preprocess):
    """The image is its own mask, so A and B agree in every random view (except at bicubic edges, if resized)."""
    for i in range(10):
        mask = np.zeros((64, 64), np.uint8)
        mask[8 + i : 40, 4 : 30 + i] = 255
        for folder in ("images", "masks"):
            save(lungs / folder / f"p{i}.png", mask)
    dataset = MasksDataset(flags(dataroot=lungs, preprocess=preprocess), "all", train=True)
    views = [dataset[i, epoch] for i in range(10) for epoch in range(1, 6)]
    agree = [((view["A"] > 0) == (view["B"] > 0)).float().mean().item() for view in views]
    assert min(agree) == 1 if preprocess in ("crop", "none") else min(agree) > 0.93
    assert len({view["B"].numpy().tobytes() for view in views}) > 10


def test_two_images_of_one_name_are_refused(lungs, flags, save):
    save(lungs / "images" / "p3.jpg", np.zeros((48, 40), np.uint8))
    with pytest.raises(UserError, match=r"p3.png and p3.jpg: two images of one name"):
        MasksDataset(flags(dataroot=lungs), "all", train=False)


def test_a_mask_joins_no_image_of_another_sub_folder(lungs, flags, save):
    """The image B/p0.png is missing. Its mask once joined A/p0.png."""
    for folder in ("images", "masks"):
        (lungs / folder / "A").mkdir()
        for i in range(10):
            (lungs / folder / f"p{i}.png").rename(lungs / folder / "A" / f"p{i}.png")
    save(lungs / "masks" / "B" / "p0.png", np.full((48, 40), 255, np.uint8))
    with pytest.raises(UserError, match=r"masks/B/p0.png: no image of this name in .*images/B; --skip_bad_files"):
        MasksDataset(flags(dataroot=lungs), "all", train=False)
    dataset = MasksDataset(flags(dataroot=lungs, skip_bad_files=True), "all", train=False)
    assert not dataset.truth(0).all()


def test_a_second_mask_that_is_no_part_is_an_error(lungs, flags, save):
    for name in ("p3.tif", "p3_label.png"):
        save(lungs / "masks" / name, np.full((48, 40), 255, np.uint8))
        for changes in ({}, {"skip_bad_files": True}):
            with pytest.raises(UserError, match=rf"images/p3.png: .*p3.png and .*{name} are both named as its mask"):
                MasksDataset(flags(dataroot=lungs, **changes), "all", train=False)
        (lungs / "masks" / name).unlink()


def test_masks_of_images_that_are_not_listed_join_no_listed_image(lungs, flags):
    """p1_left.png is an image of its own, but the list leaves it out."""
    for folder in ("images", "masks"):
        (lungs / folder / "p1.png").rename(lungs / folder / "p0_left.png")
    write_list(lungs, "image,split", "images/p0.png,train", "images/p2.png,test")
    dataset = MasksDataset(flags(dataroot=lungs), "train", train=False)
    assert [sample.targets for sample in dataset.samples] == [(lungs / "masks" / "p0.png",)]


def test_a_mask_that_may_belong_to_an_image_of_another_phase_is_an_error(lungs, flags, save):
    for folder in "xy":
        save(lungs / "images" / folder / "a.png", np.zeros((48, 40), np.uint8))
    for i in range(10):
        (lungs / "images" / f"p{i}.png").unlink()
        (lungs / "masks" / f"p{i}.png").unlink()
    save(lungs / "masks" / "a.png", np.zeros((48, 40), np.uint8))
    write_list(lungs, "image,split", "images/x/a.png,train", "images/y/a.png,test")
    for phase in ("train", "test"):
        with pytest.raises(UserError, match=r"belongs to .*x/a.png or to .*y/a.png"):
            MasksDataset(flags(dataroot=lungs), phase, train=False)


def test_an_image_that_is_turned_by_its_exif_orientation_needs_a_mask_that_is_turned_too(lungs, flags):
    """A half turn changes no size, so nothing else would show it."""
    exif = Image.Exif()
    exif[0x0112] = 3
    image = lungs / "images" / "p2.png"
    with Image.open(image) as picture:
        picture.load()
        picture.save(image, exif=exif)
    with pytest.raises(UserError, match=r"masks/p2.png: rotation: its EXIF orientation is 1, that of its image is 3"):
        MasksDataset(flags(dataroot=lungs), "all", train=False)
    mask = lungs / "masks" / "p2.png"
    with Image.open(mask) as picture:
        stored = np.asarray(picture)
        picture.save(mask, exif=exif)
    dataset = MasksDataset(flags(dataroot=lungs), "all", train=False)
    assert np.array_equal(dataset.truth(2), np.rot90(stored, 2) > 0)


def without_foreground(root, *names: str) -> None:
    for name in names:
        Image.fromarray(np.zeros((48, 40), np.uint8)).save(root / "masks" / f"{name}.png")


@pytest.mark.parametrize("cache_gb", [1.0, 0.0])
@pytest.mark.parametrize("changes", [{}, {"direction": "BtoA"}, {"unpaired": True}], ids=["AtoB", "BtoA", "unpaired"])
def test_a_set_whose_masks_are_all_empty_is_refused(lungs, flags, cache_gb, changes):
    """Its Dice would be 1 for a network that never draws anything."""
    without_foreground(lungs, *(f"p{i}" for i in range(10)))
    opt = flags(dataroot=str(lungs), cache_gb=cache_gb, num_threads=1, **changes)
    for train in (True, False) if "unpaired" not in changes else (True,):
        with pytest.raises(NoForeground, match=r"lungs, phase all: all \d+ masks are empty, .* first is .*masks/p"):
            create_dataset(opt, "all", train=train)


@pytest.mark.parametrize("cache_gb", [1.0, 0.0])
def test_one_mask_with_foreground_is_enough_wherever_it_is(lungs, flags, cache_gb, capsys):
    without_foreground(lungs, *(f"p{i}" for i in range(9)))
    opt = flags(dataroot=str(lungs), cache_gb=cache_gb, num_threads=1)
    assert len(create_dataset(opt, "all", train=True).dataset) == 10
    assert "all: 9 of 10 masks read are empty (no foreground)" in capsys.readouterr().out


def test_without_a_mask_that_has_foreground_there_is_no_validation(lungs, flags, capsys):
    opt = flags(dataroot=str(lungs))
    without_foreground(lungs, *MasksDataset(opt, "val", train=False).ids)
    assert create_validation(opt) is None
    assert "no validation: " in capsys.readouterr().out
    with pytest.raises(UserError, match="--early_stop watches the validation score"):
        create_validation(flags(dataroot=str(lungs), early_stop=3))


def test_a_list_without_the_folder_of_its_images_names_that_folder(lungs, flags):
    (lungs / "splits.csv").write_text("image,split\nimages/p0.png,train\nimages/p1.png,val\n")
    (lungs / "images").rename(lungs / "pictures")
    missing = r"splits.csv: there is no folder \S+lungs/images, and none of the 2 images that it lists exists"
    with pytest.raises(UserError, match=missing):
        MasksDataset(flags(dataroot=lungs), "train", train=False)
    (lungs / "images").mkdir()
    with pytest.raises(UserError, match="splits.csv: none of the 2 images that it lists exists, such as"):
        MasksDataset(flags(dataroot=lungs), "train", train=False)


def test_swapped_folders_are_said_once_for_all_files(lungs, flags):
    (lungs / "images").rename(lungs / "x")
    (lungs / "masks").rename(lungs / "images")
    (lungs / "x").rename(lungs / "masks")
    with pytest.raises(UserError, match="10 bad files: .*p4.png and 5 more: is no mask, but its image is one") as error:
        MasksDataset(flags(dataroot=lungs), "all", train=True)
    assert str(error.value).count("swapped?") == 1
