"""Live panels: what a server receives, and that a missing server never disturbs the training."""

import math
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
import torch

from tests.util.helpers import Server, free_port, wait_until
from util.run.log import LossLog
from util.show.panels import TIMEOUT, Curve, Panels, finite, make_grid

SERVE = """
import sys
from visdom.server import app, run_server
app.tornado_settings["autoreload"] = False
run_server.start_server(port=int(sys.argv[2]), base_url="", env_path=sys.argv[1], bind_local=True)
"""


@pytest.fixture(scope="module")
def one_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("visdom")
    server = Server(folder, "-c", SERVE, str(folder))  # without its page's scripts, since no browser opens it
    yield server
    server.kill()


@pytest.fixture
def server(one_server, request):
    """The running server, with an environment of the test's own."""
    if not one_server.answers():
        one_server.start()
    one_server.env = request.node.name
    return one_server


def panels_at(port, env="main", display_id=1, ncols=2, retry=0.1):
    return Panels("http://127.0.0.1", port, env, display_id, ncols, name="run", retry=retry)


def pictures(size=8):
    return {label: torch.zeros(1, 1, size, size) for label in ("real_A", "fake_B", "real_B")}


def test_windows_have_upstreams_numbers_and_titles(server):
    panels = panels_at(server.port, server.env)
    panels.losses(0.5, {"G_GAN": 2.0, "G_L1": 40.0})
    panels.losses(1.0, {"G_GAN": 1.0, "G_L1": 30.0})
    panels.scores(1, {"dice": 0.9})
    panels.pictures(pictures())
    panels.close(deadline=30)
    assert server.lines("1") == {"G_L1": ([0.5, 1.0], [40.0, 30.0])}
    assert server.lines("1_game") == {"G_GAN": ([0.5, 1.0], [2.0, 1.0])}
    assert server.lines("1_scores") == {"dice": ([1.0], [0.9])}
    titles = [server.window(win)["title"] for win in ("1", "2", "3", "1_scores")]
    assert titles == ["run loss over time", "run images", "run labels", "run validation scores"]
    assert server.window("2")["content"]["src"].startswith("data:image/png;base64,")
    assert server.window("3")["content"].count("<tr>") == 2  # two labels in a row, like the pictures


def test_points_are_appended_and_a_new_loss_gets_a_curve(server):
    panels = panels_at(server.port, server.env)
    panels.losses(1, {"G": 3.0})
    wait_until(lambda: server.lines("1").get("G") == ([1.0], [3.0]))
    panels.losses(2, {"G": 2.0})
    wait_until(lambda: server.lines("1").get("G") == ([1.0, 2.0], [3.0, 2.0]))
    panels.losses(3, {"G": 1.0, "U_L1": 0.5})
    panels.close(deadline=30)
    assert server.lines("1") == {"G": ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]), "U_L1": ([1.0, 2.0, 3.0], [None, None, 0.5])}


def test_each_quantity_of_both_training_and_validation_has_a_window(server):
    panels = panels_at(server.port, server.env)
    row = {"G_L1": 30.0, "val_G_L1": 40.0, "D_real": 0.5, "train_dice": 0.8, "val_dice": 0.7, "val_recall": 0.6}
    row |= {"acc_D_real": 0.75, "acc_D_fake": 0.5}
    panels.losses(0.5, {"D_real": 0.5, "acc_D_real": 1.0})  # of one step: not shown
    panels.epoch(1, row)
    panels.epoch(2, row | {"val_dice": 0.9})
    panels.close(deadline=30)
    x, flat = [1.0, 2.0], [0.6, 0.6]
    assert server.lines("1_scores") == {"val_dice": (x, [0.7, 0.9]), "val_recall": (x, flat)}
    assert server.lines("1_Dice") == {"train (running)": (x, [0.8, 0.8]), "val": (x, [0.7, 0.9])}
    assert server.lines("1_G_L1 loss") == {"train (running)": (x, [30, 30]), "val": (x, [40, 40])}
    assert server.window("1_Dice")["title"] == "run Dice"
    assert server.lines("1_accuracies") == {"acc_D_real": (x, [0.75, 0.75]), "acc_D_fake": (x, [0.5, 0.5])}
    assert set(server.lines("1_game")) == {"D_real"}
    assert server.lines("1") == {}


def test_losses_with_a_large_lambda_are_legible_and_no_title_lies_below_the_buttons(server):
    panels = panels_at(server.port, server.env)
    panels.losses(1, {"G_GAN": -0.5, "G_L1": 900.0, "D_real": 0.0})
    panels.close(deadline=30)
    layouts = {win: server.window(win)["content"]["layout"] for win in ("1", "1_game")}
    assert {win: layout["yaxis"]["type"] for win, layout in layouts.items()} == {"1": "log", "1_game": "linear"}
    assert all(layout["title"]["text"] == "" for layout in layouts.values())
    assert server.window("1")["title"] == "run loss over time", "it stands in the bar of the window"


def test_without_a_grid_each_picture_has_a_window(server):
    panels = panels_at(server.port, server.env, ncols=0, display_id=5)
    panels.pictures(pictures())
    panels.close(deadline=30)
    titles = [server.window(str(win))["title"] for win in (6, 7, 8)]
    assert titles == ["real_A", "fake_B", "real_B"]


def test_labels_are_escaped(server):
    panels = panels_at(server.port, server.env)
    panels.pictures({"<b>A</b>": torch.zeros(1, 3, 4, 4)})
    panels.close(deadline=30)
    assert "&lt;b&gt;A&lt;/b&gt;" in server.window("3")["content"]


def test_a_killed_and_restarted_server_gets_everything_again(server, capfd):
    panels = panels_at(server.port, server.env)
    panels.losses(1, {"G": 3.0})
    panels.scores(1, {"dice": 0.8})
    panels.pictures(pictures())
    wait_until(lambda: server.window("3"))
    server.kill()
    panels.losses(2, {"G": 2.0})
    wait_until(lambda: panels._away)
    for epoch in (3, 4, 5):  # the training goes on
        panels.losses(epoch, {"G": 1.0})
    server.start()
    wait_until(lambda: not panels._away)
    panels.close(deadline=30)
    assert server.lines("1") == {"G": ([1.0, 2.0, 3.0, 4.0, 5.0], [3.0, 2.0, 1.0, 1.0, 1.0])}
    assert server.lines("1_scores") == {"dice": ([1.0], [0.8])}
    assert server.window("2")
    assert server.window("3")
    gone, back = capfd.readouterr().err.splitlines()
    assert gone.startswith(f"no visdom at http://127.0.0.1:{server.port} (")
    assert "training goes on" in gone
    assert back.startswith("visdom is back")


def test_a_server_restarted_between_two_points_gets_everything_again(server, capfd):
    panels = panels_at(server.port, server.env)
    panels.losses(1, {"G": 3.0})
    wait_until(lambda: server.lines("1"))
    server.kill()
    server.start()
    panels.losses(2, {"G": 2.0})
    panels.close(deadline=30)
    assert server.lines("1") == {"G": ([1.0, 2.0], [3.0, 2.0])}
    assert capfd.readouterr().err == ""


def test_a_missing_server_costs_one_line(capfd):
    panels = panels_at(free_port(), retry=0.01)
    for step in range(200):
        panels.losses(step, {"G": 1.0})
        panels.pictures(pictures())
        time.sleep(0.001)
    wait_until(lambda: panels._away)
    panels.close()
    (line,) = capfd.readouterr().err.splitlines()
    assert "Connection refused" in line


def test_another_program_on_the_port_costs_one_line(capfd):
    class Teapot(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_error(418)

        def log_message(self, *args):
            pass

    other = HTTPServer(("127.0.0.1", 0), Teapot)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    panels = panels_at(other.server_port)
    panels.losses(1, {"G": 1.0})
    wait_until(lambda: panels._away)
    panels.close()
    other.shutdown()
    other.server_close()
    (line,) = capfd.readouterr().err.splitlines()
    assert "(it answers 418)" in line


@pytest.mark.timeout(60)
def test_a_server_that_never_answers_does_not_slow_the_training():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        panels = panels_at(silent.getsockname()[1])
        panels.losses(0, {"G": 1.0})
        asked, _ = silent.accept()  # from now on the thread waits for an answer
        start = time.monotonic()
        for step in range(1000):
            panels.losses(step, {"G": 1.0})
            panels.pictures(pictures())
        panels.close(deadline=0.1)
        assert time.monotonic() - start < TIMEOUT / 2
        asked.close()


def test_a_faulty_picture_ends_the_panels_but_not_the_training(server, capfd):
    panels = panels_at(server.port, server.env)
    panels.pictures({"fake_B": torch.zeros(1, 2, 4, 4)})  # two channels cannot be shown
    wait_until(lambda: not panels._thread.is_alive())
    panels.pictures(pictures())
    panels.close()
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("live panels are off: ")


def test_a_resumed_run_continues_its_curves(server, tmp_path):
    log = LossLog(tmp_path, epochs=3, print_freq=2)
    for epoch, g in ((1, 9.0), (2, 8.0)):
        for count in log.batches(epoch, [2, 2], images=4):
            log.step({"G": g}, count)
        log.end_epoch(epoch, {"val_dice": epoch / 10})
    panels = panels_at(server.port, server.env)
    panels.recall(tmp_path, images=4)
    panels.losses(2.0, {"G": 5.0})  # the last save was at 1.5: the second half of epoch 2 is trained again
    panels.close(deadline=30)
    assert server.lines("1") == {"G": ([0.5, 1.0, 1.5, 2.0], [9.0, 9.0, 8.0, 5.0])}
    assert server.lines("1_scores") == {"val_dice": ([1.0, 2.0], [0.1, 0.2])}


def test_a_window_is_not_added_while_the_thread_iterates_over_them():
    panels = panels_at(1, display_id=0)
    adding = threading.Thread(target=panels.epoch, args=(1, {"train_dice": 0.8, "val_dice": 0.7}))
    with panels._changed:  # as the thread holds it
        before = list(panels._curves)
        adding.start()
        adding.join(0.2)
        assert list(panels._curves) == before
    adding.join()
    assert list(panels._curves) == [*before, "Dice"]


def test_display_id_0_shows_nothing():
    panels = panels_at(1, display_id=0)
    panels.losses(1, {"G": 1.0})
    panels.pictures(pictures())
    panels.close()
    assert not panels._thread.is_alive()
    assert not panels._news()


def test_points_of_images_trained_again_replace_the_older_points():
    curve = Curve("1", "run loss over time", "loss")
    for x in (1.0, 2.0, 3.0):
        curve.add(x, {"G": x})
    curve.sent = 3
    curve.add(2.0, {"G": 9.0})
    assert curve.points == [(1.0, {"G": 1.0}), (2.0, {"G": 9.0})]
    assert curve.sent == 0  # visdom removes no points: the window is sent whole


def test_values_that_a_browser_cannot_read_leave_a_gap_in_the_curve():
    assert finite(torch.tensor(0.5)) == 0.5
    assert all(math.isnan(finite(value)) for value in (None, math.inf, -math.inf, math.nan))


def test_the_grid_is_filled_up_with_white_and_accepts_different_sizes():
    black = [np.zeros((2, 2, 3), np.uint8), np.zeros((1, 1, 3), np.uint8), np.zeros((2, 2, 3), np.uint8)]
    grid = make_grid(black, ncols=2)
    assert grid.shape == (4 + 2 + 4 + 2 + 4, 4 + 2 + 4 + 2 + 4, 3)
    dark = [(y, x) for y, x in zip(*np.where(grid[..., 0] == 0), strict=True)]
    assert dark == [(4, 4), (4, 5), (4, 10), (5, 4), (5, 5), (10, 4), (10, 5), (11, 4), (11, 5)]
