"""The table of `benchmarks.trust`."""

from benchmarks.trust.table import chose_the_method, line


def test_the_images_that_chose_the_method_are_those_of_the_text(tmp_path):
    rows = [("a", "montgomery", "train"), ("b", "shenzhen", "train"), ("c", "shenzhen", "val"), ("d", "shenzhen", "x")]
    lines = ["image,source,split", *(f"images/{name}.png,{source},{split}" for name, source, split in rows)]
    (tmp_path / "splits.csv").write_text("\n".join(lines))
    assert chose_the_method(tmp_path) == {"a", "c", "d"}


def test_a_line_counts_poor_and_implausible_masks_and_correlates_what_is_left():
    dice, expected = (0.95, 0.92, 0.85, 0.5), (0.96, 0.94, 0.9, 0.6)
    doubts = ("", "empty", "", "empty")
    rows = [
        {"dice": one, "expected_dice": other, "implausible": why}
        for one, other, why in zip(dice, expected, doubts, strict=True)
    ]
    assert line(rows) == ["4, 0.805", "2, 1", "1.00, 1.00", "0.045", "1.00, 1.00", "2, 1 of 2"]
