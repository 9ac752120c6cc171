"""What a run keeps of its old tasks, and what stands in the way of that."""

import pytest
import torch

from models import create_model
from models.networks.define import define_G
from models.rivals import FILE, RIVALS, WEIGHTS
from models.rivals.create import check_start, create_rival
from tests.models.helpers import model_options
from util.errors import UserError
from util.forgetting.study import FROM_DONOR

CPU = torch.device("cpu")


@pytest.fixture
def examples():
    torch.manual_seed(1)
    return [{side: torch.rand(3, 64, 64) * 2 - 1 for side in "AB"} for _ in range(2)]


def begun(adapt: str, **changes):
    torch.manual_seed(0)
    opt = model_options(adapt=adapt, old_weight=2.0, **changes)
    return opt, create_model(opt, CPU, training=True)


def moved(model, step: float = 0.01):
    """The outputs of a model's generator, whose weights have changed since."""
    net = model.generator("G")
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += step
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return images, net(images)


def kept(folder) -> dict:
    return torch.load(folder / FILE, weights_only=True)


@pytest.mark.parametrize("adapt", RIVALS)
def test_a_run_goes_on_with_what_it_kept_and_needs_neither_donor_nor_old_images(adapt, examples, tmp_path):
    opt, model = begun(adapt)
    first, names = create_rival(opt, model, {"facades": examples}, None, tmp_path)
    assert first is not None
    assert names == ["facades"]
    images, fakes = moved(model)
    (loss,) = first.losses(images, fakes).values()
    assert loss > 0
    opt.continue_train = True
    again, names = create_rival(opt, model, {}, None, tmp_path)
    assert again is not None
    assert names == ["facades"]
    assert torch.equal(loss, *again.losses(images, fakes).values())


def test_ewc_adds_what_an_earlier_run_measured_to_what_it_measures_at_the_latest_weights(examples, tmp_path):
    first, second, alone = (tmp_path / name for name in ("first", "second", "alone"))
    for folder in (first, second, alone):
        folder.mkdir()
    opt, model = begun("ewc")
    create_rival(opt, model, {"facades": examples}, None, first)
    moved(model)
    more = [{side: item[side].flip(-1) for side in "AB"} for item in examples]
    _, names = create_rival(opt, model, {"lungs": examples, "hearts": more}, first / FILE, second)
    assert names == kept(second)["tasks"] == ["facades", "lungs", "hearts"]
    sums = kept(first)["fisher"]
    for images in (examples, more):
        create_rival(opt, model, {"x": images}, None, alone)
        sums = {name: sums[name] + square for name, square in kept(alone)["fisher"].items()}
    assert all(torch.allclose(sums[name], square) for name, square in kept(second)["fisher"].items())
    latest = model.generator("G").state_dict()
    assert all(torch.equal(latest[name], tensor) for name, tensor in kept(second)["weights"].items())
    assert (second / FILE).stat().st_size < 1.1 * (first / FILE).stat().st_size, "no more for two tasks than for one"


@pytest.mark.parametrize("adapt", RIVALS)
def test_the_weight_is_in_the_unit_of_the_new_loss(adapt, examples, tmp_path):
    """At ten times --lambda_L1 the old task pulls ten times as much, like the new one."""
    losses = []
    for lambda_L1 in (100.0, 1000.0):
        opt, model = begun(adapt, lambda_L1=lambda_L1)
        rival, _ = create_rival(opt, model, {"facades": examples}, None, tmp_path)
        assert rival is not None
        losses += rival.losses(*moved(model)).values()
    assert losses[1].item() == pytest.approx(10 * losses[0].item(), rel=1e-4)


def test_the_teacher_of_lwf_is_the_network_that_the_run_starts_from(tmp_path):
    opt, model = begun("lwf")
    start = model.translate(torch.ones(1, 3, 64, 64))
    rival, _ = create_rival(opt, model, {"facades": (), "lungs": ()}, None, tmp_path)
    assert rival is not None
    images = torch.ones(1, 3, 64, 64)
    moved(model)
    assert rival.losses(images, start)["G_LwF"].item() == 0
    assert kept(tmp_path)["tasks"] == ["facades", "lungs"]


def test_fine_tuning_keeps_nothing(tmp_path):
    assert create_rival(*begun("finetune"), {}, None, tmp_path) == (None, [])
    assert not list(tmp_path.iterdir())


def test_an_old_task_without_a_slope_is_refused(examples, tmp_path):
    with pytest.raises(UserError, match="--adapt ewc: the loss of the old task lungs has no slope, so nothing"):
        create_rival(*begun("ewc", lambda_L1=0.0), {"lungs": examples}, None, tmp_path)


@pytest.mark.parametrize("damage", [[1], {"weights": {}}, {"tasks": [], "weights": {"x": 1}}])
def test_a_file_of_something_else_is_refused(damage, tmp_path):
    opt, model = begun("lwf")
    torch.save(damage, tmp_path / FILE)
    opt.continue_train = True
    with pytest.raises(UserError, match=r"old_task.pth: not what --adapt lwf keeps beside this generator; start that"):
        create_rival(opt, model, {}, None, tmp_path)


def test_both_tasks_need_the_same_channels(tmp_path):
    torch.save(define_G(3, 3, 4, "unet_64", "batch").state_dict(), tmp_path / "latest_net_G.pth")
    same = model_options(adapt="ewc", pretrained=str(tmp_path))
    check_start(same)
    with pytest.raises(UserError, match="--output_nc 1: the old task of .* has 3 channels.*take --output_nc 3"):
        check_start(model_options(adapt="ewc", pretrained=str(tmp_path), output_nc=1))
    (tmp_path / "latest_net_G.pth").rename(tmp_path / "latest_task_G.safetensors")
    with pytest.raises(UserError, match="is a task beside a frozen donor, which forgets nothing: name that"):
        check_start(same)


def test_every_rival_has_a_weight_and_forgetting_knows_that_it_trains_the_whole_generator():
    assert {*WEIGHTS} == {*RIVALS} <= {*FROM_DONOR}
