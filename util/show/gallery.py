"""Images on a page, each with its pictures, that a reader sorts, filters, enlarges and turns over like pages (page.js).

    with doc.main:
        gallery(cards, "lowest Dice first", {"dice": "Dice"})

The first images are in the document itself, so that the page can be read without JavaScript. The others lie in a
template, which costs a browser little, until the reader turns the page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from dominate import tags
from dominate.util import raw

from util.show.pages import link, row_style
from util.show.pictures import PREDICTION

PAGE = 200
"""Images that are in the document at once: a browser is slow with thousands."""


@dataclass(frozen=True)
class Picture:
    """label: shown below it. full: the file that a click opens. shown: the file on the page. mask: of an overlay, the
    mask that can be laid over it; small: the same for the page, if the mask is large."""

    label: str
    full: Path
    shown: Path
    mask: Path | None = None
    small: Path | None = None


@dataclass(frozen=True)
class Card:
    """An image. pictures: the image itself comes first. facts: beside the name. values: to sort and filter by."""

    name: str
    pictures: Sequence[Picture]
    facts: str = ""
    source: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


class template(tags.html_tag):  # dominate lacks this element
    """Elements that are read but not shown."""


def gallery(
    cards: Sequence[Card],
    order: str = "as listed",
    values: Mapping[str, str] | None = None,
    width: int = 256,
    controls: bool = True,
    tinted: bool = True,
) -> None:
    """Add a gallery to the open element.

    order: of the cards as they are given, in words. values: titles of the cards' values; readers filter by the first.
    width: of a picture in pixels. controls: whether there is something to sort and filter; without them every card is
    shown. tinted: whether masks are white on black, and not in colours of their own.
    """
    shades, first = {"data-tinted": ""} if tinted else {}, PAGE if controls else len(cards)
    with tags.div(cls="gallery", **{"data-page": str(PAGE)}, **shades):
        if tinted:
            _tint()
        if controls:
            _controls(cards, order, values or {})
        with tags.div(cls="cards"):
            for card in cards[:first]:
                _card(card, width)
        if len(cards) > first:
            tags.noscript(tags.p(f"The first {first} of {len(cards)} images; with JavaScript the page shows all."))
            with template():
                for card in cards[first:]:
                    _card(card, width)


def _tint() -> None:
    """A filter that turns a mask, white on black, into a transparent sheet with the foreground in colour."""
    red, green, blue = (f"0 0 0 0 {value / 255:.3f}" for value in PREDICTION)
    raw(
        '<svg width="0" height="0" style="position:absolute" aria-hidden="true"><filter id="tint" '
        'color-interpolation-filters="sRGB"><feColorMatrix '
        f'values="{red} {green} {blue} .34 .33 .33 0 0"/></filter></svg>'
    )


def _controls(cards: Sequence[Card], order: str, values: Mapping[str, str]) -> None:
    main = next(iter(values), "")
    # A browser keeps what was typed when the page is loaded again, which the buttons would not agree with.
    with tags.form(cls="controls", hidden=True, autocomplete="off", **({"data-main": main} if main else {})):
        with tags.label("Order "), tags.select(name="order"):
            tags.option(order, value="")
            for key, title in values.items():
                tags.option(f"lowest {title} first", value=f"{key} 1")
                tags.option(f"highest {title} first", value=f"{key} -1")
            tags.option("by name", value="name")
        tags.label("Name ", tags.input_(type="search", name="search"))
        if len(sources := sorted({card.source for card in cards if card.source})) > 1:
            with tags.label("Source "), tags.select(name="source"):
                tags.option("all", value="")
                for source in sources:
                    tags.option(source, value=source)
        if main:
            tags.label(f"{values[main]} from ", tags.input_(type="number", name="low", step="any"))
            tags.label("to ", tags.input_(type="number", name="high", step="any"))
        if any(picture.mask for card in cards for picture in card.pictures):
            tags.label("Mask ", tags.input_(type="range", name="mask", min="0", max="1", step="0.05", value="0"))
            tags.label(tags.input_(type="checkbox", name="outlines", checked=True), " outlines")
        tags.output(f"{len(cards)} images", name="count")
        tags.button("previous page", type="button", name="previous")
        tags.button("next page", type="button", name="next")
        tags.small(
            "Click a picture to enlarge it. Keys: j, k next and previous image; ←, → other pictures; Esc closes."
        )


def _card(card: Card, width: int) -> None:
    values = {f"data-{key}": f"{value:.6g}" for key, value in card.values.items() if isfinite(value)}
    source = {"data-source": card.source} if card.source else {}
    with tags.section(cls="image", **{"data-name": card.name}, **source, **values):
        title = tags.h3(card.name)
        if card.facts:
            title.add("  ", tags.small(card.facts))
        with tags.div(cls="pictures", style=row_style(len(card.pictures), width)):
            for picture in card.pictures:
                _picture(picture, card.name)


def _picture(picture: Picture, name: str) -> None:
    shown = tags.img(src=link(picture.shown), alt=f"{picture.label} of {name}", loading="lazy")
    if picture.mask is None:
        tags.a(shown, picture.label, href=link(picture.full))
        return
    small = {"data-small": link(picture.small)} if picture.small and picture.small != picture.mask else {}
    masked = {"data-mask": link(picture.mask)} | small
    tags.a(tags.span(shown, cls="stack"), picture.label, href=link(picture.full), **masked)
