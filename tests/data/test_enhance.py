"""--intensity and --clahe change grey values in the same way in training and in testing."""

import numpy as np
import pytest

from data import create_dataset
from data.enhance import Enhance, clahe, stretch
from data.read.images import read_image
from data.transforms import to_network
from util.errors import UserError


def test_stretching_a_picture_by_its_own_values():
    picture = np.array([[50, 100], [150, 200]], np.uint8)
    assert stretch(picture, 0, 100).tolist() == [[0, 85], [170, 255]]
    deep = np.array([[1000, 2000], [3000, 4000]], np.uint16)
    assert stretch(deep, 0, 100).tolist() == [[0, 21845], [43690, 65535]]
    even = np.full((4, 4), 9, np.uint8)
    assert stretch(even, 0, 100) is even


def test_percentiles_ignore_single_bright_pixels():
    picture = np.arange(100, 200, dtype=np.uint8).reshape(10, 10)
    picture[0, 0] = 255  # a letter that a technician left on the film
    assert Enhance("minmax")(picture, "x").max() == 255
    assert Enhance("minmax")(picture, "x")[9, 9] < 170
    assert Enhance("percentile")(picture, "x")[9, 9] >= 250


def test_colours_keep_their_hue():
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0, 0], picture[1, 1] = (50, 100, 25), (10, 20, 5)
    assert stretch(picture, 0, 100)[0, 0].tolist() == [127, 255, 64]  # 127.5 rounds to even


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_clahe_raises_the_contrast_of_each_region_separately(dtype):
    """A dark left and a bright right half, both with faint stripes. CLAHE makes the stripes clearer in both."""
    unit = np.iinfo(dtype).max / 255
    picture = np.full((64, 64), 40, np.float64)
    picture[:, 32:] = 200
    picture[::4] += 4
    picture = (picture * unit).astype(dtype)
    even = clahe(picture)
    assert even.dtype == dtype
    assert even.shape == picture.shape
    for side in (slice(8, 24), slice(40, 56)):  # stripes of 4 grey values now differ by at least 6
        assert even[::4, side].mean() - even[1::4, side].mean() > 6 * unit
    assert np.array_equal(clahe(np.repeat(picture[:, :, None], 3, 2))[:, :, 1], even)


def test_clahe_needs_room_for_its_tiles(lungs, flags, save):
    save(lungs / "images" / "p0.png", np.zeros((48, 8), np.uint8))
    save(lungs / "masks" / "p0.png", np.zeros((48, 8), np.uint8))
    with pytest.raises(UserError, match="p0.png: loaded at 8 x 48 pixels; --clahe needs more than 8 each way"):
        create_dataset(flags(dataroot=str(lungs), preprocess="none", clahe=True), "all", train=False)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("cache_gb", [1.0, 0.0])
def test_images_are_enhanced_after_they_are_resized(lungs, flags, train, cache_gb):
    opt = flags(dataroot=str(lungs), preprocess="none", no_flip=True, input_nc=1, output_nc=1, cache_gb=cache_gb)
    opt.intensity, opt.clahe = "percentile", True
    dataset = create_dataset(opt, "all", train).dataset
    item, picture = dataset[3], read_image(lungs / "images" / "p3.png")
    assert np.array_equal(item["A"], to_network(Enhance("percentile", True)(picture, "x"), 1))
    assert item["B"].unique().tolist() == [-1, 1]
    assert np.array_equal(dataset.image(3)[:, :, 0], picture)  # pages show the image as it is on disk


def test_only_the_image_side_of_data_without_pairs_is_enhanced(lungs, flags, tmp_path):
    for side, folder in zip("AB", ("images", "images"), strict=True):
        (tmp_path / f"train{side}").symlink_to(lungs / folder)
    opt = flags(dataroot=str(tmp_path), dataset_mode="unaligned", no_flip=True, serial_batches=True, clahe=True)
    item = create_dataset(opt, "train", train=True).dataset[0]
    opt.clahe = False
    plain = create_dataset(opt, "train", train=True).dataset[0]
    assert not np.array_equal(item["A"], plain["A"])
    assert item["B"].shape == plain["B"].shape


def test_labels_as_input_are_not_enhanced(lungs, flags):
    with pytest.raises(UserError, match="--clahe and --intensity are for an X-ray as input: with --direction BtoA"):
        create_dataset(flags(dataroot=str(lungs), direction="BtoA", clahe=True), "all", train=True)


def test_clahe_of_a_real_x_ray_shows_more_of_it(real_data):
    picture = read_image(real_data / "lungs" / "images" / "CHNCXR_0002_0.png")
    before, after = (np.abs(np.diff(p.astype(float), axis=1)).mean() for p in (picture, clahe(picture)))
    assert after > 1.3 * before
