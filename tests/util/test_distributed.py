"""Several processes train as one: two gloo processes with one image each equal one process with both images.

Gradients are clipped, and the generators' moving averages are compared.
"""

import socket

import pytest
import torch
import torch.multiprocessing as mp

from models.averages import Averages
from models.optim.optimizers import clip_gradients
from models.pix2pix import Pix2PixModel
from tests.models.helpers import model_options
from util import distributed

# Nothing here depends on the batch or on chance. Adam would hide a gradient that is wrong by a factor.
FLAGS = dict(norm="none", no_dropout=True, optimizer="sgd", lr=0.1)


def data() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    return {key: torch.rand(2, 3, 64, 64, generator=generator) * 2 - 1 for key in ("A", "B")}


def train(seed: int, batch: dict, steps: int = 2) -> Pix2PixModel:
    torch.manual_seed(seed)
    model = Pix2PixModel(model_options(**FLAGS), torch.device("cpu"), training=True)
    distributed.share(model.networks.values(), model.optimizers.values())
    clip_gradients(
        model.optimizers.values(), 0.05
    )  # G's are longer, so clipping before averaging would give another mean
    averages = Averages(model, 0.9)
    for _ in range(steps):
        model.train_step(batch)
        averages.step()
    averages["G"].swap()
    return model


def worker(rank: int, port: int, folder: str) -> None:
    distributed.join("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    whole = data()
    model = train(rank, {key: value[rank : rank + 1] for key, value in whole.items()})
    states = {name: net.state_dict() for name, net in model.networks.items()}
    torch.save(states, f"{folder}/{rank}.pth")
    assert distributed.any_process(rank == 1)
    assert distributed.from_first(0.5 if rank == 0 else None) == 0.5
    distributed.stop()


@pytest.mark.slow
def test_two_processes_with_an_image_each_train_like_one_with_both(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mp.spawn(worker, (port, str(tmp_path)), nprocs=2)
    alone = train(0, data())
    first, second = (torch.load(tmp_path / f"{rank}.pth", weights_only=True) for rank in (0, 1))
    for name, net in alone.networks.items():
        for key, value in net.state_dict().items():
            assert torch.equal(first[name][key], second[name][key]), f"{name} {key}: the processes drifted apart"
            torch.testing.assert_close(first[name][key], value, atol=2e-5, rtol=1e-3)


def test_only_the_first_process_prints(monkeypatch, capsys):
    distributed.say("first", "second")
    monkeypatch.setattr(distributed, "_rank", 1)
    distributed.say("third")
    assert capsys.readouterr().out == "first\nsecond\n"


def test_a_single_process_agrees_with_itself():
    assert (distributed.rank(), distributed.world_size()) == (0, 1)
    assert distributed.from_first(0.25) == 0.25
    assert not distributed.any_process(False)
