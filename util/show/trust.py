"""The part of a test's page about trust: masks that look implausible, and calibration."""

from collections.abc import Mapping, Sequence
from typing import Any

from dominate import tags
from dominate.util import raw

from util.score.trust import expected
from util.score.trust.calibration import BINS
from util.score.trust.plausible import COLUMN, doubted_in_words

SHOWN = 10  # images to name
SIDE = 220  # of the reliability curve, in pixels
BLUE = "#2f8fd0"  # has contrast on a bright page and on a dark one


def show_trust(rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> None:
    """Add the Dice to expect without ground truth, and the images whose masks look implausible, as far as they are
    known, to the open element of a page. summary: the contents of metrics.json."""
    doubted = [row for row in rows if row.get(COLUMN)]
    if expected.COLUMN not in summary and not doubted:
        return
    tags.h2("Trust in single masks")
    if expected.COLUMN in summary:
        tags.p(f"{expected.in_words(summary[expected.COLUMN])}.", cls="note")
    if doubted:
        with tags.div(cls="warning"):
            tags.p(f"{doubted_in_words(len(doubted), len(rows))}, unlike any training mask:")
            with tags.ul():
                for row in doubted[:SHOWN]:
                    tags.li(f"{row['id']}: {row[COLUMN]}")
            if len(doubted) > SHOWN:
                tags.p(f"{len(doubted) - SHOWN} more are named below and in metrics.csv, column {COLUMN}.")


def show_calibration(summary: Mapping[str, Any], classes: int) -> None:
    """Add the calibration, as numbers and a curve, to the open element of a page. summary: the contents of
    metrics.json. classes: how many there are."""
    if not (calibration := summary.get("calibration")):
        return
    tags.h2("Calibration")
    if classes == 2:
        axes = "value of a pixel", "share of foreground"
        meaning = "The output is a brightness that was trained to look like a mask, and no probability."
    else:
        axes = "certainty of the class", "share of right classes"
        meaning = (
            "Certainty: 1 where a pixel has the colour of its class, 0.5 halfway to the next. It is no probability."
        )
    ece = {name: "undefined" if value is None else f"{value:.4f}" for name, value in calibration["ece"].items()}
    tags.p(
        f"Expected calibration error: {ece['mean']} (mean over images), {ece['pooled']} (all pixels together), over "
        f"{BINS} bins of equal width. {meaning} The curve shows how far it can be taken for one: on the diagonal it "
        "can. Most pixels lie far from any outline, so the error is small even where the curve is not straight; a "
        "larger dot has more pixels.",
        cls="note",
    )
    with tags.div(cls="figures"), tags.figure():
        raw(curve(calibration["curve"], axes))


def curve(bins: Sequence[Mapping[str, float]], axes: tuple[str, str]) -> str:
    """A reliability curve as SVG. bins: as in `util.score.trust.calibration.of_set`. axes: titles of x and y."""
    places = [(f"{40 + SIDE * each['value']:.1f}", f"{10 + SIDE * (1 - each['right']):.1f}") for each in bins]
    line = " ".join(f"{x},{y}" for x, y in places)
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="{2 + 6 * each["pixels"] ** 0.5:.1f}"><title>{each["pixels"]:.2%} of the pixels: '
        f"{axes[0]} {each['value']:.3f}, {axes[1]} {each['right']:.3f}</title></circle>"
        for (x, y), each in zip(places, bins, strict=True)
    )
    right, low = 40 + SIDE, 10 + SIDE
    return (
        f'<svg width="{SIDE + 60}" height="{SIDE + 55}" role="img" fill="currentColor" font-size="12" '
        f'aria-label="reliability curve: {axes[1]} by {axes[0]}">'
        f'<g fill="none" stroke="currentColor"><rect x="40" y="10" width="{SIDE}" height="{SIDE}" opacity="0.4"/>'
        f'<path d="M40 {low}L{right} 10" stroke-dasharray="4" opacity="0.6"/>'
        f'<polyline points="{line}" stroke="{BLUE}" stroke-width="2"/></g><g fill="{BLUE}">{dots}</g>'
        f'<g text-anchor="middle"><text x="40" y="{low + 16}">0</text><text x="{right}" y="{low + 16}">1</text>'
        f'<text x="{40 + SIDE / 2}" y="{low + 34}">{axes[0]}</text>'
        f'<text transform="translate(14 {10 + SIDE / 2}) rotate(-90)">{axes[1]}</text>'
        f'<text x="30" y="{low + 4}">0</text><text x="30" y="16">1</text></g></svg>'
    )
