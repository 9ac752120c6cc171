"""A real training run in a real browser, on a real visdom server that is killed and started again."""

import html
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from PIL import Image

from tests.util.helpers import ROOT, Server, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(900)]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Visdom(Server):
    """`make visdom` without make, and a browser that opens it."""

    def curve(self, win, name):
        """x values of one curve, [] if there is no such curve."""
        return self.lines(win).get(name, ([], []))[0]

    def browse(self, picture):
        """Return the page's text after its scripts have run, and save a screenshot. Other machines are out of reach."""
        profile = self.folder / "profile"
        common = [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
            f"--user-data-dir={profile}",
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            "--virtual-time-budget=8000",
            "--window-size=1400,900",
        ]
        page = f"http://127.0.0.1:{self.port}/env/main"
        run = {"check": True, "capture_output": True, "timeout": 120}
        subprocess.run([*common, f"--screenshot={picture}", page], **run)
        dom = subprocess.run([*common, "--dump-dom", page], **run).stdout.decode()
        return html.unescape(re.sub(r"<(script|style)\b.*?</\1>", "", dom, flags=re.S))


@pytest.fixture
def visdom(tmp_path):
    if not CHROMIUM:
        pytest.skip("Chromium is not installed")
    if not shutil.which("npm"):
        pytest.skip("npm is not installed: visdom's page needs scripts from it")
    server = Visdom(tmp_path, "-m", "util.show.visdom_server", "--port")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def training(visdom, tmp_path):
    """train.py on small phantoms, with more epochs than the test waits for."""
    flags = (
        "--model pix2pix --dataset_mode phantom --phantom_count 16 --name watched --netG unet_64 --ngf 8 --ndf 8 "
        "--load_size 72 --crop_size 64 --batch_size 2 --gpu_ids -1 --n_epochs 100000 --num_threads 0 "
        "--print_freq 8 --display_freq 16 --save_epoch_freq 100000 "
        f"--display_port {visdom.port} --checkpoints_dir {tmp_path}/checkpoints"
    )
    err = tmp_path / "train.err"
    with err.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "train.py", *flags.split()],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    process.err = err
    process.lines = lambda: (tmp_path / "checkpoints/watched/loss_log.txt").read_text().count("(epoch:")
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()


def check_page(visdom, picture):
    """All panels are on the page as a person would see them."""
    page = visdom.browse(picture)
    for text in ("watched loss over time", "watched images", "watched labels", "watched validation scores"):
        assert text in page, text
    for curve in ("G_GAN", "G_L1", "D_real", "D_fake"):
        assert f'data-unformatted="{curve}"' in page, f"no curve {curve} in a legend"
    assert all(label in page for label in ("real_A", "fake_B", "real_B"))
    assert 'src="data:image/png;base64,' in page
    assert ">online<" in page.replace(" ", "").replace("\n", "")
    colours = Image.open(picture).convert("RGB").getcolors(1 << 24)
    assert len(colours) > 100  # lines, letters and an X-ray, not an empty sheet


def test_panels_of_a_real_run_survive_a_killed_server(visdom, training, tmp_path):
    wait_until(lambda: len(visdom.curve("1_scores", "val_dice")) >= 2 or training.poll() is not None)
    assert training.poll() is None, training.err.read_text()
    check_page(visdom, tmp_path / "before.png")
    before = visdom.curve("1", "G_L1")

    visdom.kill()
    wait_until(lambda: "no visdom at" in training.err.read_text())
    lines = training.lines()
    wait_until(lambda: training.lines() > lines + 10)  # the training goes on

    visdom.start()
    wait_until(lambda: "visdom is back" in training.err.read_text())
    wait_until(lambda: visdom.curve("1", "G_L1"))
    after = visdom.curve("1", "G_L1")
    assert len(after) > len(before) + 10
    assert after[: len(before)] == before
    wait_until(lambda: visdom.curve("1_scores", "val_dice"))
    check_page(visdom, tmp_path / "after.png")

    training.send_signal(signal.SIGINT)
    assert training.wait(60) == 130
    messages = [line for line in training.err.read_text().splitlines() if "visdom" in line]
    assert len(messages) == 2  # one line when it went, one when it came back
