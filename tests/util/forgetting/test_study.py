"""The figures of a study, from result matrices made by hand, its page and its files."""

import csv
import json
from pathlib import Path

import pytest

from data.classes import Classes
from util.forgetting.follow import saved_epochs, spread
from util.forgetting.measure import costs, score_name
from util.forgetting.page import write_forgetting_page
from util.forgetting.pictures import Pictures
from util.forgetting.results import as_json, write_csv
from util.forgetting.study import Method, Study, Task, merge
from util.forgetting.words import caveats, summary, verdict

TASKS = [Task("facades", "test", 50), Task("lungs", "val", 70)]


def method(label: str, adapt: str, R, equal: int = 0, **cost) -> Method:
    """A way to learn lungs, with the scores R and `equal` unchanged outputs for facades."""
    measures = [
        [{"miou": old, "void_rate": 0.3, "bit_equal": 50 if i == 0 else equal}, {"dice": new, "miou": 0.0}]
        for i, (old, new) in enumerate(R)
    ]
    price = {"trainable": 100, "bytes": 400, "training_bytes": 1200, "seconds_per_step": 0.5} | cost
    return Method(label, [label], adapt, measures, [0.1, 0.4], [price])


TUNED = method("ft", "finetune", [[0.5, 0.4], [0.2, 0.9]])
MASKS = method("masks", "masks", [[0.5, 0.4], [0.5, 0.88]], equal=50, bytes=20)
STUDY = Study("houses", {}, TASKS, [TUNED, MASKS, method("new", "scratch", [[0.5, 0.4], [0.0, 0.7]])], "random:0")


def test_figures_agree_with_hand_computed_ones():
    found = STUDY.figures(MASKS)
    assert found["old_before"] == found["old_after"] == 0.5
    assert found["forgetting"] == 0
    assert found["retention"] == 1
    assert found["new_score"] == 0.88
    assert found["intransigence"] == pytest.approx(0.9 - 0.88)
    assert found["bytes"] == 20
    assert found["seconds_per_step"] == 0.5
    assert STUDY.figures(TUNED)["retention"] == pytest.approx((0.2 - 0.1) / (0.5 - 0.1))
    assert STUDY.figures(TUNED)["intransigence"] == 0


def test_a_network_from_random_weights_has_no_figures_between_tasks():
    """It never had the old task, so it cannot have forgotten it; a low score there is no loss."""
    found = STUDY.figures(STUDY.methods[2])
    between = ("forgetting", "retention", "backward_transfer", "relative_backward_transfer", "forward_transfer")
    assert [found[name] for name in between] == [None] * 5
    assert (found["old_after"], found["new_score"]) == (0.0, 0.7)
    known = Study("houses", {"trainable": 100}, TASKS, STUDY.methods, "random:0")
    assert [known.figures(one)["growth"] for one in known.methods] == [0, 20 / 400, 1]  # it needs a network for each
    rehearsed = method("joint", "scratch", [[0.5, 0.4], [0.3, 0.7]], old_bytes=9)
    assert STUDY.figures(rehearsed)["forgetting"] == pytest.approx(0.2), "it learnt the old task's images too"


def test_a_new_task_without_ground_truth_does_not_count_as_learnt():
    """Its score is the similarity to its own first outputs: 1 on the diagonal, which says nothing about learning."""
    three = method("ft", "finetune", [[0.5, 0.4], [0.4, 0.9]])
    for row, ssim in zip(three.measures, (None, None), strict=True):
        row.append({"ssim": ssim, "bit_equal": 0})
    three.measures.append([{"miou": 0.3, "void_rate": 0, "bit_equal": 0}, {"dice": 0.8, "bit_equal": 0}, {"ssim": 1.0}])
    three.chance.append(0.1)
    found = Study("houses", {}, [*TASKS, Task("photos", "test", 9)], [three], "random:0").figures(three)
    assert found["new_score"] == 0.9
    assert found["intransigence"] == 0
    assert found["forgetting"] == pytest.approx((0.2 + 0.1) / 2)


def test_costs_of_several_runs_add_up():
    two = method("two", "masks", [[0.5, 0.4], [0.5, 0.88]])
    two.costs.append({"trainable": 1, "bytes": 2, "training_bytes": 3, "seconds_per_step": None})
    found = STUDY.figures(two)
    assert (found["trainable"], found["bytes"], found["training_bytes"]) == (101, 402, 1203)
    assert found["seconds_per_step"] is None  # one run did not record it


def test_what_tasks_cost_what_they_add_and_what_was_kept_of_old_ones():
    kept = {"old_images": 20, "old_patients": 12, "old_bytes": 900}
    tuned = method("replay", "finetune", [[0.5, 0.4], [0.3, 0.9]], **kept)
    tuned.costs.append({"trainable": 300, "bytes": 400, "training_bytes": 1200, "seconds_per_step": 0.5})
    masks = method("masks", "masks", [[0.5, 0.4], [0.5, 0.88]], bytes=20)
    masks.costs.append(masks.costs[0] | {"bytes": 30})
    study = Study("houses", {"trainable": 100}, TASKS, [tuned, masks], "random:0")
    found = study.figures(tuned)
    assert (found["trainable_per_task"], found["bytes_per_task"], found["growth"]) == (200, 400, 0)
    assert (found["kept_images"], found["kept_patients"], found["kept_bytes"]) == (20, 12, 900)
    assert any("at most: replay 20 images of 12 patients and in all 0.0 MB." in text for text in caveats(study))
    found = study.figures(masks)
    assert (found["bytes_per_task"], found["growth"]) == (25, pytest.approx(50 / 400))
    assert found["kept_images"] == found["kept_bytes"] == 0
    assert STUDY.figures(MASKS)["growth"] is None  # nobody knows how large that donor is


def test_transfer_counts_new_tasks_with_a_ground_truth_against_random_weights_and_learning_alone():
    study = Study("houses", {}, TASKS, STUDY.methods, "random:0", start=[0.05, 0.3])
    found = study.figures(MASKS)
    assert found["forward_transfer"] == pytest.approx(0.4 - 0.3)
    assert found["restricted_ability"] == pytest.approx(0.88 / 0.7)
    assert found["forward_generalisability"] is None  # a single new task
    assert STUDY.figures(MASKS)["forward_transfer"] is None  # random weights were not measured
    photos = method("ft", "finetune", [[0.5, None], [0.4, 0.9]])
    for row in photos.measures:
        row[1] = {"ssim": row[1]["dice"]}
    found = Study("houses", {}, TASKS, [photos], "random:0", start=[0.05, None]).figures(photos)
    assert found["forward_transfer"] is found["restricted_ability"] is None


def test_intervals_over_seeds_are_in_the_files_and_on_the_page(tmp_path):
    seeds = [method("ft", "finetune", [[0.5, 0.4], [0.2, new]]) for new in (0.8, 0.9, 1.0)]
    study = Study("houses", {"trainable": 100}, TASKS, [merge(seeds)], "random:0", start=[0.05, 0.3])
    low, high = as_json(study)["methods"]["ft"]["figures_interval"]["new_score"]
    assert (low, high) == (pytest.approx(0.9 - 4.3027 * 0.1 / 3**0.5, abs=1e-4), pytest.approx(1.1484, abs=1e-4))
    pictures = Pictures(tmp_path, 0)
    pictures.rows = {0: {"x": {"input": (tmp_path, "")}}, 1: {"x": {"input": (tmp_path, "")}}}
    write_forgetting_page(tmp_path, study, pictures)
    words = (tmp_path / "index.html").read_text()
    assert "0.9000\u00a0±\u00a00.1000<small>0.6516 to 1.1484</small>" in words
    assert "E-FWT" not in words  # undefined for all methods
    assert "FWT (forward transfer" in words
    assert "95 % interval" in words


def test_without_full_fine_tuning_there_is_no_reference():
    assert Study("houses", {}, TASKS, [MASKS], "random:0").figures(MASKS)["intransigence"] is None


def test_no_figure_is_minus_zero(tmp_path):
    """A tiny negative difference would be rounded to -0.0000."""
    found = method("ft", "finetune", [[0.5, 0.4], [0.50000001, 0.9]])
    assert Study("houses", {}, TASKS, [found], "random:0").figures(found)["forgetting"] < 0
    pictures = Pictures(tmp_path, 0)
    pictures.rows = {0: {"x": {"input": (tmp_path, "")}}, 1: {"x": {"input": (tmp_path, "")}}}
    write_forgetting_page(tmp_path, Study("houses", {}, TASKS, [found], "random:0"), pictures)
    assert "0.0000" in (words := (tmp_path / "index.html").read_text())
    assert "-0.0000" not in words


def test_the_page_names_the_colours_of_the_facades(tmp_path):
    pictures = Pictures(tmp_path, 0)
    pictures.rows = {task: {"x": {"input": (Path("images/x.png"), "")}} for task in (0, 1)}
    pictures.classes = {0: Classes.load("facades"), 1: Classes.load("lungs")}
    write_forgetting_page(tmp_path, STUDY, pictures)
    page = (tmp_path / "index.html").read_text()
    assert page.count("Classes:") == 1  # black and white need no legend
    patch = 'style="background:rgb(191, 255, 64)"></span>balcony'
    assert patch in page
    assert 'alt="input of x"' in page


def test_sentences_follow_from_the_figures():
    upshot, tuned, masks, scratch = summary(STUDY)
    assert tuned.startswith("ft learnt lungs to Dice 0.900 (the donor 0.400, chance 0.400)")
    assert "Of facades: 25% of the donor's score above chance is left (mIoU 0.500 before, 0.200 after" in tuned
    assert "nothing is forgotten: every output is the donor's, bit for bit" in masks
    assert "random weights" in scratch
    assert "forg" not in scratch
    assert "before" not in masks
    assert upshot == (
        "ft kept 25% of what was known before. masks kept all of it; on lungs it is 2.0 points behind, "
        "with 1/20 of the bytes."
    )
    runs = method("ft", "finetune", [[0.5, 0.4], [0.2, 0.9]]), method("masks", "masks", [[0.5, 0.4]] * 2, 50, bytes=20)
    for one in runs:  # two new tasks: fine-tuning has one network for both, a frozen donor two files
        one.costs *= 2
    assert "with 1/10 of the bytes." in summary(Study("houses", {}, TASKS, [*runs], "random:0"))[0]


def test_a_score_below_chance_is_not_called_learnt():
    (words,) = summary(Study("houses", {}, TASKS, [method("ft", "finetune", [[0.5, 0.4], [0.2, 0.3]])], "random:0"))
    assert words.startswith("ft learnt nothing of lungs: Dice 0.300 (the donor 0.400, chance 0.400)")


def test_caveats_name_different_training_options():
    assert caveats(STUDY) == []
    slow, fast = (method(name, "masks", [[0.5, 0.4], [0.5, 0.88]], equal=50) for name in ("slow", "fast"))
    slow.training, fast.training = [{"lr": 0.1, "seed": 0}], [{"lr": 0.2, "seed": 0, "max_dataset_size": 9}]
    fast.proofs = [{"run": "fast"}]
    frozen, uneven = caveats(Study("houses", {}, TASKS, [slow, fast], "random:0"))
    assert "must say which task" in frozen
    assert uneven == (
        "The runs were trained with different options: lungs: --lr 0.1 (slow), 0.2 (fast); lungs: "
        "--max_dataset_size unlimited (slow), 9 (fast)."
    )


def test_a_method_on_another_donor_is_not_said_to_forget_nothing():
    strange = method("masks", "masks", [[0.5, 0.4], [0.1, 0.88]], equal=0)
    strange.proofs = [{"run": "masks"}]
    (words,) = caveats(Study("houses", {}, TASKS, [strange], "random:0"))
    assert "forgets nothing" not in words
    assert "proofs below fail for masks: was it trained on another donor" in words


def test_a_collapse_is_reported():
    collapsed = method("ft", "finetune", [[0.5, 0.4], [0.02, 0.9]])
    collapsed.measures[-1][0]["void_rate"] = 0.97
    (words,) = summary(Study("houses", {}, TASKS, [collapsed], "random:0"))
    assert "everything is forgotten: it is worse than chance" in words
    assert words.startswith("ft learnt lungs to Dice")
    assert "97% of its pixels there have no class's colour, against 30% of the donor's" in words


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (1.0, "practically nothing is forgotten, though outputs differ"),
        (0.6, "60% of the donor's score"),
        (0.01, "everything is forgotten"),
        (None, "nothing above chance to forget"),
    ],
)
def test_a_verdict_says_what_a_retention_means(kept, words):
    assert words in verdict(kept, equal=False)
    assert "bit for bit" in verdict(kept, equal=True)


def test_undefined_figures_are_null_in_json_and_blank_in_csv(tmp_path):
    blank = method("new", "scratch", [[0.5, None], [0.0, 0.7]])
    study = Study("houses", {"bytes": 1}, TASKS, [blank], "random:0")
    assert json.loads(json.dumps(as_json(study), allow_nan=False))["methods"]["new"]["R"] == [[0.5, None], [0.0, 0.7]]
    write_csv(tmp_path / "x.csv", study)
    with (tmp_path / "x.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["method"] == "new"
    assert row["new_score"] == "0.7"
    assert row["intransigence"] == ""


def test_dice_then_miou_then_ssim_is_the_score():
    assert score_name({"miou": 0, "dice": 0}) == "dice"
    assert score_name({"l1": 0, "miou": 0}) == "miou"
    assert score_name({"l1": 0}) == "ssim"


def test_costs_are_read_from_the_runs_files_and_log(tmp_path):
    (tmp_path / "loss_log.txt").write_text(
        "".join(
            f"(epoch: 1, iters: {i}, time: {time}, data: 0.001) G_L1: 1.0 \n"
            for i, time in ((1, 0.9), (2, 0.1), (3, 0.2))
        )
    )
    (tmp_path / "latest_net_G.pth").write_bytes(b"x" * 7)
    found = costs([tmp_path / "latest_net_G.pth"], 10, tmp_path, {"batch_size": 4})
    # The log has seconds for each image; the gradient and two moments take 4 bytes each.
    assert found == {"trainable": 10, "bytes": 7, "training_bytes": 120, "seconds_per_step": pytest.approx(0.8)}
    (tmp_path / "loss_log.txt").unlink()
    assert costs([], 10, tmp_path, {})["seconds_per_step"] is None


def test_the_curve_takes_saved_epochs_denser_at_the_start(tmp_path):
    for name in ("10_net_G", "2_net_G_A", "2_net_G_B", "latest_net_G", "iter_5_net_G", "3_net_D"):
        (tmp_path / f"{name}.pth").touch()
    assert saved_epochs(tmp_path) == [2, 10]
    assert spread([3, 1, 2], 6) == [1, 2, 3]
    assert spread(range(1, 101), 3) == [1, 10, 100]
    assert spread(range(5, 205, 5), 4) == [5, 15, 60, 200]  # of 5, 17.1, 58.5, 200
    assert spread([1, 2, 3], 1) == [3]
