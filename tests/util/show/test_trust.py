"""The part of a test's page about trust."""

import re

from dominate import tags

from util.show.trust import SHOWN, SIDE, curve, show_trust


def test_a_dot_for_each_bin_is_where_its_value_and_share_are():
    bins = [{"pixels": 0.75, "value": 0.0, "right": 0.0}, {"pixels": 0.25, "value": 1.0, "right": 0.5}]
    dots = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', curve(bins, ("x", "y")))
    assert [(float(x), float(y)) for x, y in dots] == [(40, 10 + SIDE), (40 + SIDE, 10 + SIDE / 2)]


def shown(rows, summary) -> str:
    with tags.main() as main:
        show_trust(rows, summary)
    return main.render()


def test_only_the_first_implausible_masks_are_listed_and_the_others_counted():
    rows = [{"id": f"x{i}", "implausible": "empty"} for i in range(SHOWN + 2)] + [{"id": "good", "implausible": ""}]
    page = shown(rows, {})
    assert f"{SHOWN + 2} of {SHOWN + 3} masks look implausible" in page
    assert page.count("<li>") == SHOWN
    assert "2 more are named below" in page
    assert "good" not in page
    assert "1 of 1 mask looks implausible" in shown(rows[:1], {})


def test_nothing_is_said_where_nothing_is_known():
    assert shown([{"id": "x"}], {}) == "<main></main>"
    assert "mean 0.900" in shown([{"id": "x"}], {"expected_dice": {"mean": 0.9}})
