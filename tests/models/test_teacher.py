"""Images without masks: a teacher's masks, and the losses by them."""

import pytest
import torch

from models import SEG_LOSSES, create_model
from models.averages import Averages
from models.losses import seg_loss
from models.teacher import Lesson
from tests.models.helpers import model_options

CPU = torch.device("cpu")


def test_only_sure_pixels_count():
    rows = ([0.0] * 3, [0.5, 0.5, -0.5], [0.0, 2.0, 0.0], [1.0, -1.0, 1.0], [True, False, True])
    lesson = Lesson(*(torch.tensor(row).reshape(1, 1, 1, 3) for row in rows))
    assert lesson.l1().item() == pytest.approx((0.5 + 0 + 1.5) / 3)


@pytest.mark.parametrize("name", [*SEG_LOSSES, "dice+0.5*bce"])
@pytest.mark.parametrize("empty", [False, True])
def test_a_loss_of_masks_has_no_gradient_where_the_teacher_is_not_sure(name, empty):
    """The overlap of whole masks would otherwise pull unsure pixels to one side, though they agree with themselves."""
    logits = torch.tensor([[[[-3.0, -1.0, 0.5, 2.0]]]], requires_grad=True)
    mask = torch.tensor([[[[-1.0, -1.0, 1.0, -1.0 if empty else 1.0]]]])
    sure = torch.tensor([[[[True, False, False, True]]]])
    Lesson(logits, logits.tanh(), logits, mask, sure).seg(seg_loss(name)).backward()
    first, *unsure, last = logits.grad.flatten().tolist()
    assert unsure == [0, 0]
    assert first >= 0
    assert (last > 0) == empty


@pytest.mark.parametrize(
    ("flags", "added"),
    [
        ({"model": "supervised", "input_nc": 1, "output_nc": 1}, ["U_seg"]),
        ({"model": "pix2pix", "lambda_L1": 10.0}, ["U_L1"]),
        ({"model": "pix2pix", "output_nc": 1, "lambda_seg": 1.0}, ["U_L1", "U_seg"]),
    ],
)
def test_the_generator_learns_what_its_average_makes_of_the_unchanged_images(flags, added):
    torch.manual_seed(0)
    options = model_options(**flags)
    model = create_model(options, CPU, training=True)
    averages = model.averages = Averages(model, 0.9)
    images = torch.rand(2, options.input_nc, 64, 64) * 2 - 1
    batch = {"A": images, "B": torch.ones(2, options.output_nc, 64, 64), "U": images, "U_changed": images * 0.9}
    for _ in range(3):
        losses = model.train_step(batch)
        averages.step()
    assert [name for name in losses if name.startswith("U_")] == added
    lesson = model.lesson(batch)
    assert lesson is not None
    with averages.in_place():
        taught = model.translate(images)
    assert torch.equal(lesson.mask, torch.where(taught > 0, 1.0, -1.0))
    assert not lesson.mask.requires_grad
    assert lesson.fake.requires_grad
    plain = {side: batch[side] for side in "AB"}
    assert not [name for name in model.train_step(plain) if name.startswith("U_")]


def test_the_adversary_judges_the_masks_of_unlabelled_images_too():
    torch.manual_seed(0)
    options = model_options(model="pix2pix")
    model = create_model(options, CPU, training=True)
    model.averages = Averages(model, 0.9)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    shown: list[torch.Tensor] = []
    model.networks["D"].register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0].detach()))
    model.train_step({"A": images, "B": torch.ones(2, 3, 64, 64), "U": images, "U_changed": images * 0.9})
    real, *fakes = shown
    assert torch.equal(real[:, :3], images)
    assert len(fakes) == 2  # for D's step and for G's
    for fake in fakes:  # beside the same grey values as real masks are, or D could tell by these
        assert torch.equal(fake[:, :3], torch.cat([images, images]))


def test_a_gradient_penalty_goes_with_more_fakes_than_real_images():
    model = create_model(model_options(model="pix2pix", gan_mode="wgangp", norm="instance"), CPU, training=True)
    model.averages = Averages(model, 0.9)
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    batch = {"A": images, "B": torch.ones(1, 3, 64, 64), "U": images, "U_changed": images * 0.9}
    assert model.train_step(batch)["D_GP"].isfinite()
