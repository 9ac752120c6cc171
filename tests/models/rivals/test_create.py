"""What a run keeps of its donor, and what stands in the way of that."""

import pytest
import torch

from models import create_model
from models.networks.define import define_G
from models.rivals import RIVALS, WEIGHTS
from models.rivals.create import FILE, check_start, create_rival
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


@pytest.mark.parametrize("adapt", RIVALS)
def test_a_run_goes_on_with_what_it_kept_and_needs_neither_donor_nor_old_images(adapt, examples, tmp_path):
    opt, model = begun(adapt)
    images, net = torch.rand(1, 3, 64, 64) * 2 - 1, model.generator("G")
    first = create_rival(opt, model, examples, tmp_path)
    assert first is not None
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.01
    fakes = net(images)
    (loss,) = first.losses(images, fakes).values()
    assert loss > 0
    opt.continue_train = True
    again = create_rival(opt, model, (), tmp_path)
    assert again is not None
    assert torch.equal(loss, *again.losses(images, fakes).values())


def test_fine_tuning_keeps_nothing(tmp_path):
    assert create_rival(*begun("finetune"), (), tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_an_old_task_without_a_slope_is_refused(examples, tmp_path):
    with pytest.raises(UserError, match="--adapt ewc: the old task's loss has no slope; raise --lambda_L1"):
        create_rival(*begun("ewc", lambda_L1=0.0), examples, tmp_path)


@pytest.mark.parametrize("damage", [[1], {"weights": {}}, {"weights": {"x": 1}}])
def test_a_file_of_something_else_is_refused(damage, tmp_path):
    opt, model = begun("lwf")
    torch.save(damage, tmp_path / FILE)
    opt.continue_train = True
    with pytest.raises(UserError, match=r"old_task.pth: not what this run kept of its donor; start it again"):
        create_rival(opt, model, (), tmp_path)


def test_both_tasks_need_the_same_channels(tmp_path):
    torch.save(define_G(3, 3, 4, "unet_64", "batch").state_dict(), tmp_path / "latest_net_G.pth")
    same = model_options(adapt="ewc", pretrained=str(tmp_path))
    check_start(same)
    with pytest.raises(UserError, match="--output_nc 1: the old task of .* has 3 channels.*take --output_nc 3"):
        check_start(model_options(adapt="ewc", pretrained=str(tmp_path), output_nc=1))
    (tmp_path / "latest_net_G.pth").rename(tmp_path / "latest_task_G.pth")
    with pytest.raises(UserError, match="is a task beside a frozen donor, which forgets nothing: name that"):
        check_start(same)


def test_every_rival_has_a_weight_and_forgetting_knows_that_it_trains_the_whole_generator():
    assert {*WEIGHTS} == {*RIVALS} <= {*FROM_DONOR}
