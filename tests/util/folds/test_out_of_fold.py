"""The scores of all folds together."""

import numpy as np

from util.folds.out_of_fold import joined
from util.score.evaluate import Evaluation


def of_fold(name: str, **more) -> Evaluation:
    counts = {"tp": 1, "fp": 1, "fn": 1, "tn": 1, "image_score": 0.5}
    row = {"id": name, "source": "", "patient": name, "dice": 0.5} | counts | more
    return Evaluation([row], np.array([[1, 1, 1, 1]]), None, ("background", "lung"))


def test_rows_are_sorted_and_columns_that_one_fold_lacks_are_left_out(tmp_path):
    folds = {0: of_fold("b", implausible="empty", expected_dice=0.9), 1: of_fold("a", implausible="")}
    whole = joined(folds, [{}, {}])
    assert [(row["id"], row["fold"], row["implausible"]) for row in whole.rows] == [("a", 1, ""), ("b", 0, "empty")]
    assert not any("expected_dice" in row for row in whole.rows)
    assert whole.remarks == ["1 of 2 masks looks implausible: b (empty)"]
    assert whole.summary["implausible"] == 1
    whole.write_csv(tmp_path / "metrics.csv")
