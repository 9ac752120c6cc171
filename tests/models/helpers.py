"""Options for models as small as they come."""

import argparse


def model_options(**changes: object) -> argparse.Namespace:
    """What a model's constructor reads, for a U-Net of 64x64 images with 4 filters."""
    values = dict(
        norm_stats="image", input_norm="signed", encoder_weights="none",
        seed=0, stochastic=False, init_type="normal", init_gain=0.02, input_nc=3, output_nc=3,
        ngf=4, ndf=4, netG="unet_64", netD="basic", n_layers_D=3, norm="batch", no_dropout=False, pretrained="",
        adapt="finetune", task="own", mask_init=1e-2, mask_cutoff=5e-3, bank_fraction=0.25, bank="base", rank=8,
        pretrained_B="twin", pool_size=3, lambda_A=10.0, lambda_B=10.0, lambda_identity=0.5,
        instance_noise=0.0, dataset_mode="aligned", name="run", epoch="latest", model_suffix="", checkpoints_dir=".",
        lambda_L1=100.0, lambda_seg=0.0, seg_loss="dice+0.5*bce", gan_mode="vanilla", lr=2e-4, beta1=0.5,
        continue_train=False,
        optimizer="adam", weight_decay=None, clip_grad=0.0, ema=0.0, freeze_encoder=0, lr_encoder=None,
        warmup=0, patience=5, lr_policy="linear", preprocess="resize_and_crop", crop_size=64, patch=0,
        batch_size=1,
        n_epochs=2, n_epochs_decay=2, lr_decay_iters=1, epoch_count=1,
    )  # fmt: skip
    return argparse.Namespace(**values | changes)
