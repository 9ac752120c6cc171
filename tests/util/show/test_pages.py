"""The pages of a test and of a training run, and the pictures on them: every link works, every picture is there."""

import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import torch
from PIL import Image

from tests.util.browser import shown_by_browser
from util.contracts import VOID
from util.score.evaluate import evaluate
from util.score.mask_rule import MaskRule
from util.show import pictures as draw
from util.show.pages import add_link, links_to_runs, page, write_page
from util.show.test_page import write_test_page
from util.show.test_pictures import PictureWriter
from util.show.training_page import TrainingPage

NASTY = ["plain", "with space", 'quo"te', "apo'strophe", "<b>bold</b>", "50%25", "a#b?c", "Lunge-Größe", "肺", "&amp;"]
SETTINGS = {"threshold": 0.5}


class Links(HTMLParser):
    """Collects the links, tags and visible text of a page."""

    def __init__(self, path: Path):
        super().__init__()
        self.folder, self.text, self.tags, self.links = path.parent, "", [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data

    def broken(self) -> list[str]:
        return [link for link in self.links if not (self.folder / unquote(urlsplit(link).path)).is_file()]

    def outside(self) -> list[str]:
        return [link for link in self.links if urlsplit(link).scheme or urlsplit(link).netloc or link.startswith("/")]


def page_of(folder: Path, data, echo, title: str = "Experiment = x", settings=SETTINGS, **options) -> Links:
    folder.mkdir(exist_ok=True)
    writer = PictureWriter(folder, data)
    evaluation = evaluate(echo, data.loader(), on_image=writer, **options)
    evaluation.write_csv(folder / "metrics.csv")
    (folder / "metrics.json").write_text(json.dumps(evaluation.summary))
    write_test_page(folder, title, evaluation, settings)
    return Links(folder / "index.html")


def lungs(pictures, count: int, ids=None, size=(24, 24), **more):
    """`count` images. The prediction of image i is the true square moved by i pixels, so the first is the best."""
    truth = np.zeros(size, np.uint8)
    truth[4:14, 4:14] = 1
    outputs = [np.roll(truth, i, axis=1)[None] * 2.0 - 1 for i in range(count)]
    return pictures(outputs, [truth] * count, ids=ids, **more)


def test_a_page_of_results_and_the_page_of_its_run_link_to_each_other(tmp_path):
    run, results = tmp_path / "checkpoints" / "my run", tmp_path / "results" / "my run" / "val_latest"
    assert links_to_runs([run], results) == {}
    (run / "web").mkdir(parents=True)
    add_link(run / "web" / "index.html", "test", results / "index.html")  # a run without a page gets none
    assert not (run / "web" / "index.html").exists()
    write_page(run / "web" / "index.html", page("run", links={"losses": "../loss_log.txt"}))
    results.mkdir(parents=True)
    write_page(results / "index.html", page("results", links=links_to_runs([run], results)))
    for _ in range(2):
        add_link(run / "web" / "index.html", "test", results / "index.html")
    assert Links(results / "index.html").links == ["../../../checkpoints/my%20run/web/index.html"]
    assert Links(run / "web" / "index.html").links == [
        "../loss_log.txt",
        "../../../results/my%20run/val_latest/index.html",
    ]
    write_page(
        run / "web" / "index.html", page("run, one epoch later", links={"losses": "../loss_log.txt"}), keep_links=True
    )
    assert len(Links(run / "web" / "index.html").links) == 2


def test_every_file_of_an_image_is_written(pictures, echo, tmp_path):
    page_of(tmp_path, lungs(pictures, 1), echo)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png"))
    assert names == [
        "differences/image0.png",
        "histogram.png",
        "images/image0_fake_B.png",
        "images/image0_real_A.png",
        "images/image0_real_B.png",
        "masks/image0.png",
        "overlays/image0.png",
        "thresholds.png",
    ]
    mask = np.asarray(Image.open(tmp_path / "masks" / "image0.png"))
    assert mask.shape == (24, 24)
    assert mask.sum() == 100 * 255
    assert set(np.unique(mask)) == {0, 255}


@pytest.mark.parametrize("aspect_ratio", [1.0, 2.0])
def test_pictures_have_the_original_size(pictures, echo, tmp_path, aspect_ratio):
    data = pictures([np.zeros((1, 4, 4))], [np.ones((30, 20), np.uint8)])
    evaluate(echo, data.loader(), on_image=PictureWriter(tmp_path, data, aspect_ratio))
    for label in ("real_A", "fake_B", "real_B"):
        assert Image.open(tmp_path / "images" / f"image0_{label}.png").size == (20 * aspect_ratio, 30)
    assert Image.open(tmp_path / "masks" / "image0.png").size == (20, 30)


def test_names_cannot_break_the_page(pictures, echo, tmp_path):
    page = page_of(tmp_path, lungs(pictures, len(NASTY), ids=NASTY), echo, title='Experiment = "<i>x</i>" & y')
    assert page.broken() == []
    assert page.outside() == []
    assert not {"b", "i"} & {tag for tag, _ in page.tags}
    for name in NASTY:
        assert name in page.text
    assert {attrs.get("loading") for tag, attrs in page.tags if tag == "img" and "images/" in attrs["src"]} == {"lazy"}


def test_the_mask_is_shown_with_the_threshold_that_made_it(pictures, echo, tmp_path):
    truth = np.zeros((2, 2), np.uint8)
    data = pictures([np.array([[[-1.0, -0.93], [-0.95, 1.0]]])], [truth])  # foreground 0, .035, .025, 1
    page = page_of(tmp_path, data, echo, rule=MaskRule(0.03), settings={"threshold": 0.03})
    assert "mask, threshold 0.03" in page.text
    assert "masks/image0.png" in page.links
    assert np.asarray(Image.open(tmp_path / "masks" / "image0.png")).tolist() == [[0, 255], [0, 255]]


def test_worst_images_come_first(pictures, echo, tmp_path):
    text = page_of(tmp_path, lungs(pictures, 4), echo).text
    places = [text.index(f"image{i}") for i in (3, 2, 1, 0)]
    assert places == sorted(places)


def test_a_page_shows_at_most_so_many_images(pictures, echo, tmp_path, monkeypatch):
    monkeypatch.setattr("util.show.test_page.MOST_IMAGES", 2)
    page = page_of(tmp_path, lungs(pictures, 3), echo)
    assert "The first 2 of 3 images" in page.text
    assert ["image2" in page.text, "image1" in page.text, "image0" in page.text] == [True, True, False]


def test_the_table_shows_scores_intervals_and_sources(pictures, echo, tmp_path):
    page = page_of(tmp_path, lungs(pictures, 3, sources=["montgomery", "shenzhen", "shenzhen"]), echo, surface=True)
    dice = (1 + 0.9 + 0.8) / 3
    assert f"{dice:.4f}" in page.text
    assert "[0.8000, 1.0000]" in page.text
    assert "montgomery, mean" in page.text
    assert "shenzhen, pooled" in page.text
    assert "HD95 (px)" in page.text


def test_dice_of_positives_and_of_all_images_are_side_by_side(pictures, echo, tmp_path):
    nothing, some = np.zeros((8, 8), np.uint8), np.eye(8, dtype=np.uint8)
    data = pictures([some[None] * 1.4 - 1, nothing[None] - 1.0], [some, nothing])
    page = page_of(tmp_path, data, echo, rule=MaskRule(0.8))
    assert "Dice, positives only" in page.text
    assert "Dice, all images" in page.text
    assert "0.0000[0.0000, 0.0000]0.5000" in page.text.replace("\n", "").replace("  ", "")
    without_negatives = page_of(tmp_path / "lungs", lungs(pictures, 2), echo).text
    assert "positives only" not in without_negatives


def test_the_page_says_for_how_many_images_a_distance_is_undefined(pictures, echo, tmp_path):
    truth = np.ones((8, 8), np.uint8)
    page = page_of(tmp_path, pictures([-np.ones((1, 8, 8))], [truth]), echo, surface=True)
    assert "HD95 (px) is undefined for 1 of 1 images" in page.text


def test_images_without_ground_truth_get_a_page_without_scores(pictures, echo, tmp_path):
    page = page_of(tmp_path, pictures([np.ones((1, 4, 4))], [None]), echo)
    assert page.broken() == []
    assert "without ground truth" in page.text
    assert "Dice" not in page.text
    assert (tmp_path / "masks" / "image0.png").exists()
    assert not (tmp_path / "images" / "image0_real_B.png").exists()


def test_a_photo_as_target_is_shown_but_not_scored(pictures, echo, tmp_path):
    page = page_of(tmp_path, pictures([np.ones((3, 4, 4))], [np.zeros((9, 9))], classes=None), echo)
    assert page.broken() == []
    assert Image.open(tmp_path / "images" / "image0_real_B.png").size == (9, 9)
    assert list((tmp_path / "masks").iterdir()) == []


def test_many_classes_get_a_table_of_each_ones_iou(pictures, echo, tmp_path):
    data = pictures([np.zeros((3, 4, 4))], [np.full((4, 4), 3, np.uint8)], classes="facades")
    page = page_of(tmp_path, data, echo)
    assert page.broken() == []
    assert "IoU of each class" in page.text
    assert "balcony" in page.text


def test_large_pictures_are_shown_small_and_link_to_the_large_ones(pictures, echo, tmp_path):
    page = page_of(tmp_path, lungs(pictures, 1, size=(700, 300)), echo)
    shown = [attrs["src"] for tag, attrs in page.tags if tag == "img" and attrs["alt"] == "overlay of image0"]
    assert shown == ["thumbs/overlays/image0.jpg"]
    masks = [attrs for tag, attrs in page.tags if "data-mask" in attrs]
    assert [(m["data-mask"], m["data-small"]) for m in masks] == [("masks/image0.png", "thumbs/masks/image0.jpg")]
    assert "overlays/image0.png" in page.links
    assert max(Image.open(tmp_path / shown[0]).size) == 512
    assert page.broken() == []


def test_the_difference_picture_has_a_colour_for_each_kind_of_pixel(tmp_path):
    picture = np.full((1, 5, 3), 100, np.uint8)
    labels, truth = np.array([[1, 1, 0, 0, 1]], np.uint8), np.array([[1, 0, 1, 0, VOID]], np.uint8)
    right, extra, missed, background, void = draw.differences(picture, labels, truth, binary=True)[0].tolist()
    assert (extra, missed, void) == (list(draw.PREDICTION), list(draw.TRUTH), list(draw.OPEN))
    assert min(right) > 100 > max(background)


def luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance, 0 to 1, as WCAG 2 defines it."""
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in np.array(colour) / 255]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_colours_of_prediction_and_truth_differ_in_brightness_too():
    both, prediction, truth = (luminance(colour) + 0.05 for colour in (draw.BOTH, draw.PREDICTION, draw.TRUTH))
    assert prediction / truth >= 3  # WCAG 2.2, 1.4.11: graphics whose difference carries a meaning
    assert both / prediction >= 1.5


def test_in_a_grey_print_a_missed_pixel_is_between_background_and_right_ones():
    xray = np.full((1, 3, 3), 255, np.uint8)  # the brightest background that there is
    picture = draw.differences(xray, np.array([[1, 0, 0]], np.uint8), np.array([[1, 1, 0]], np.uint8), binary=True)
    right, missed, background = np.asarray(Image.fromarray(picture).convert("L"))[0].tolist()
    assert background + 5 < missed < right - 100


def test_outlines_are_borders_and_white_where_both_are():
    picture, mask = np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), bool)
    mask[2:7, 2:7] = True
    moved = np.roll(mask, 1, axis=0)
    both = draw.outlines(picture, mask, moved)
    assert tuple(both[4, 2]) == draw.BOTH
    assert tuple(both[2, 4]) == draw.PREDICTION
    assert tuple(both[7, 4]) == draw.TRUTH
    assert not both[4, 4].any()


def trained(run_dir: Path, epochs: int, start: int = 1, name: str = "lungs") -> TrainingPage:
    page = TrainingPage(run_dir, name)
    for epoch in range(start, epochs + 1):
        page.add(epoch, {"real_A": torch.zeros(2, 3, 8, 8), "fake_B": torch.ones(2, 1, 8, 8)})
    return page


def test_the_training_page_has_upstreams_files_and_the_newest_epoch_first(tmp_path):
    trained(tmp_path, 3, name="<lungs>")
    page = Links(tmp_path / "web" / "index.html")
    assert "Experiment name = <lungs>" in page.text
    assert page.broken() == []
    assert page.text.index("epoch [3]") < page.text.index("epoch [2]") < page.text.index("epoch [1]")
    picture = np.asarray(Image.open(tmp_path / "web" / "images" / "epoch002_fake_B.png"))
    assert picture.shape == (8, 8, 3)
    assert picture.min() == 255


def test_the_training_page_of_a_resumed_run_shows_only_pictures_of_its_own_epochs(tmp_path):
    trained(tmp_path, 4)
    (tmp_path / "web" / "images" / "epoch001_real_A.png").unlink()
    trained(tmp_path, 3, start=3)  # resumed at epoch 3: epoch 4 belongs to the abandoned branch
    page = Links(tmp_path / "web" / "index.html")
    assert page.broken() == []
    assert "epoch [4]" not in page.text
    assert "epoch [1]" in page.text


def test_the_training_page_reloads_itself_until_training_ends(tmp_path):
    page = trained(tmp_path, 1)
    html = tmp_path / "web" / "index.html"
    assert 'http-equiv="refresh"' in html.read_text()
    page.close()
    assert "refresh" not in html.read_text()


def test_the_training_page_of_a_long_run_does_not_grow(tmp_path):
    sizes = []
    for first, last in ((101, 200), (201, 300)):
        for epoch in range(first, last):
            draw.save_png(tmp_path / "web" / "images" / f"epoch{epoch}_real_A.png", np.zeros((4, 4, 3), np.uint8))
        trained(tmp_path, last, start=last)
        sizes.append((tmp_path / "web" / "index.html").stat().st_size)
    assert sizes[1] < 1.05 * sizes[0]
    page = Links(tmp_path / "web" / "index.html")
    assert page.broken() == []
    assert all(f"epoch [{epoch}]" in page.text for epoch in (101, 271, 300))
    assert "60 of 200 epochs" in page.text


def test_the_training_page_shows_the_curves(tmp_path):
    line = "(epoch: {}, iters: {}, time: 0.1, data: 0.0) G_L1: {} D_real: 0.5 \n"
    (tmp_path / "loss_log.txt").write_text(line.format(1, 5, 9.0) + line.format(2, 5, 4.0))
    (tmp_path / "metrics.csv").write_text("epoch,iters,G_L1,val_dice\n1,10,9,0.8\n2,20,4,0.9\n")
    trained(tmp_path, 1).close()
    page = Links(tmp_path / "web" / "index.html")
    drawn = [link.partition("?")[0] for link in page.links if link.startswith("curves_")]
    assert len(drawn) == 3, "losses of the game, losses with a lambda, Dice"
    assert all(Image.open(tmp_path / "web" / name).size[0] > 600 for name in drawn)
    assert page.broken() == []


PROBE = """<script>addEventListener('load', async () => {
  const all = [...document.images]; all.forEach(i => i.loading = 'eager');
  while (!all.every(i => i.complete)) await new Promise(done => setTimeout(done, 50));
  const bad = all.filter(i => !i.naturalWidth).map(i => i.src);
  const outside = performance.getEntriesByType('resource').map(r => r.name).filter(n => !n.startsWith('file:'));
  document.title = 'PROBE ' + JSON.stringify({images: all.length, bad, outside});
})</script>"""


@pytest.mark.browser
def test_a_browser_shows_every_picture(pictures, echo, tmp_path):
    page = page_of(tmp_path, lungs(pictures, len(NASTY), ids=NASTY), echo)
    shown = shown_by_browser(tmp_path / "index.html", PROBE, tmp_path, milliseconds=20000)
    seen = json.loads(shown.split("<title>PROBE ")[1].split("</title>")[0].replace("&amp;", "&"))
    assert seen == {"images": len([tag for tag, _ in page.tags if tag == "img"]), "bad": [], "outside": []}
