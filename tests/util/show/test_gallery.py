"""A test's page in a browser: sort, filter, keys, enlarge, mask, pages, narrow and dark screens, no JavaScript."""

import pytest

from tests.util.browser import Tab
from tests.util.conftest import Echo, Pictures
from tests.util.show.test_pages import lungs, page_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]
COUNT = 7
WORST_FIRST = [f"image{i}" for i in reversed(range(COUNT))]  # image i has Dice 1 - i / 10


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Tab(tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    sources = ["montgomery" if i < 2 else "shenzhen" for i in range(COUNT)]
    page_of(folder, lungs(Pictures, COUNT, sources=sources), Echo())
    return folder / "index.html"


@pytest.fixture
def tab(browser, page):
    browser.open(page)
    return browser


def focused(tab) -> str:
    return tab.run("document.activeElement.querySelector('img')?.alt")


def enlarged(tab) -> str:
    """What the viewer shows, "" if it is closed."""
    return tab.run("document.querySelector('dialog').open ? document.querySelector('dialog .stack img').src : ''")


def test_a_reader_sorts_and_filters(tab):
    assert tab.names() == WORST_FIRST
    assert tab.set("order", "dice -1") == WORST_FIRST[::-1]
    assert tab.set("order", "name") == WORST_FIRST[::-1]
    assert tab.set("low", "0.85") == ["image0", "image1"]
    assert tab.set("high", "0.95") == ["image1"]
    assert tab.set("high", "") == ["image0", "image1"]
    assert tab.set("low", "") == WORST_FIRST[::-1]
    assert tab.set("source", "montgomery") == ["image0", "image1"]
    assert tab.set("search", "GE1") == ["image1"]
    assert tab.run("document.querySelector('output').value") == "1 of 7 images"
    assert tab.set("search", "nothing") == []
    tab.press("j")  # nothing to go to


def test_keys_go_to_images_and_pictures(tab):
    tab.press("j")
    assert focused(tab) == "real_A of image6"
    tab.press("j")
    tab.press("ArrowRight")
    assert focused(tab) == "fake_B of image5"
    tab.press("k")
    assert focused(tab) == "fake_B of image6"
    tab.press("ArrowLeft")
    tab.press("k")  # it is the first
    assert focused(tab) == "real_A of image6"
    tab.run("document.querySelector('[name=search]').focus()")
    tab.press("j")  # a letter of a name
    assert tab.run("document.querySelector('[name=search]').value") == "j"
    tab.set("search", "")
    for field in ("mask", "outlines"):  # a slider and a box know no letters
        tab.run(f"document.querySelector('form [name={field}]').focus()")
        tab.press("j")
        assert focused(tab) == f"real_A of {'image5' if field == 'mask' else 'image4'}"


def test_a_click_enlarges_a_picture_and_keys_go_on_from_it(tab):
    tab.run("document.querySelector('.cards a').click()")
    assert enlarged(tab).endswith("images/image6_real_A.png")
    tab.press("j")
    tab.press("ArrowRight")
    assert enlarged(tab).endswith("images/image5_fake_B.png")
    tab.press("Escape")
    assert enlarged(tab) == ""
    tab.wait(lambda: focused(tab) == "fake_B of image5", seconds=20)


def test_the_mask_over_the_image_and_the_outlines_can_be_changed(tab):
    layers = "[...document.querySelectorAll('.cards .layer')].map(e => e.getAttribute('src'))"
    overlay = "document.querySelector('.cards .stack img').getAttribute('src')"
    assert tab.run(layers) == []
    tab.set("mask", "0.4")
    assert tab.run(layers)[0] == "masks/image6.png"
    assert tab.run("getComputedStyle(document.querySelector('.layer')).opacity") == "0.4"
    assert tab.run(overlay) == "overlays/image6.png"
    tab.run("document.querySelector('form [name=outlines]').click()")
    assert tab.run(overlay) == "images/image6_real_A.png"
    tab.run("document.querySelector('.cards [data-mask]').click()")
    assert enlarged(tab).endswith("images/image6_real_A.png")
    assert tab.run("document.querySelector('dialog [name=mask]').value") == "0.4"
    tab.run("document.querySelector('dialog [name=outlines]').click()")
    assert enlarged(tab).endswith("overlays/image6.png")
    tab.run("document.querySelector('dialog [name=mask]').focus()")
    tab.press("j")
    assert enlarged(tab).endswith("overlays/image5.png")
    tab.press("Escape")
    assert tab.run("document.querySelector('form [name=mask]').value") == "0.4"
    assert tab.run(overlay) == "overlays/image6.png"


def test_many_images_are_turned_over_like_pages(browser, pictures, echo, tmp_path, monkeypatch):
    monkeypatch.setattr("util.show.gallery.PAGE", 3)
    page_of(tmp_path, lungs(pictures, COUNT), echo)
    browser.open(tmp_path / "index.html")
    assert browser.names() == WORST_FIRST[:3]
    browser.run("document.querySelector('[name=next]').click()")
    assert browser.names() == WORST_FIRST[3:6]
    assert browser.run("document.querySelector('output').value") == "7 of 7 images, page 2 of 3"
    assert browser.set("order", "dice -1") == WORST_FIRST[::-1][:3]  # of all images, from the first page on
    for _ in range(4):
        browser.press("j")  # the last of them turns the page
    assert browser.names() == WORST_FIRST[::-1][3:6]
    assert focused(browser) == "real_A of image3"
    assert browser.run("document.querySelectorAll('.cards img').length") == 3 * 6


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_screen_and_the_system_decides_about_dark(browser, page, width, dark):
    browser.open(page, width, dark=dark)
    assert browser.too_wide() == []
    background = browser.run("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 24, 28)" if dark else "rgb(246, 247, 249)")
    tops = browser.run("[...document.querySelector('.pictures').children].map(e => e.offsetTop)")
    assert tops.count(tops[0]) == (2 if width == 400 else 6)


def test_the_page_asks_nothing_of_a_network_and_its_script_has_no_error(tab):
    assert tab.requests() == []
    reports = [event for event in tab.events if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]
    assert reports == []


def test_without_javascript_the_pictures_and_the_scores_are_there(browser, page):
    def count(selector: str) -> int:
        root = browser.send("DOM.getDocument")["root"]["nodeId"]
        try:
            return len(browser.send("DOM.querySelectorAll", nodeId=root, selector=selector)["nodeIds"])
        except AssertionError:  # the page was loaded between the two questions
            return -1

    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    browser.send("Page.navigate", url=page.as_uri())
    browser.wait(lambda: count("section.image") == COUNT, seconds=60)
    browser.wait(lambda: count("section.image img") == COUNT * 6, seconds=60)
    assert count("table.scores") == 1
    assert count("form.controls:not([hidden])") == 0
    browser.send("Emulation.setScriptExecutionDisabled", value=False)
