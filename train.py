"""Train an image translator, or fine-tune a pretrained one into a segmenter.

    python train.py --dataset_mode phantom --name phantom_lungs --netG unet_64 --crop_size 64 --load_size 72
    python train.py --dataroot DATA --dataset_mode masks --name lungs --pretrained DONOR --ngf 16
    python train.py --name lungs --continue_train

Leaves in checkpoints/<name>: latest_net_G.pth, best_net_G.pth (by the validation score), loss_log.txt, metrics.csv,
web/index.html, options.json, latest_train_state.pth.
"""

from pathlib import Path

from data import DATASETS, create_dataset, create_validation
from util.training_page import TrainingPage

import options.train
from models import MODELS, create_model, create_schedulers, load_networks, pick_device, step_schedulers
from options.parser import as_dict, as_text
from util import distributed
from util.checkpoint import save_networks, write_json, write_text
from util.console import LossLog, due
from util.errors import run_script
from util.panels import Panels
from util.run_state import Interrupts, Progress, load_run, save_run
from util.scoring import evaluate
from util.seeding import seed_everything


def main() -> int:
    opt = options.train.parse(MODELS, DATASETS)
    distributed.start()
    first = distributed.rank() == 0
    device = pick_device(opt.gpu_ids)
    seed_everything(opt.seed)
    loader = create_dataset(opt, opt.phase, train=True)
    val_loader = create_validation(opt) if first and opt.val_freq else None
    model = create_model(opt, device, training=True)
    schedulers = create_schedulers(opt, model.optimizers)

    run_dir = Path(opt.checkpoints_dir) / opt.name
    steppers = {"optimizers": model.optimizers, "schedulers": schedulers}
    progress = Progress(epoch=opt.epoch_count)
    if opt.continue_train:
        fresh = load_networks(model, run_dir, opt.epoch, opt)
        exact = load_run(run_dir, steppers) if opt.epoch == "latest" and not fresh else None
        progress = exact or progress
        print(f"continuing at epoch {progress.epoch}, image {progress.images}" if exact else
              f"networks of epoch {opt.epoch} loaded, optimizers start afresh; first epoch: {progress.epoch}")  # fmt: skip
    distributed.share(model.networks.values(), model.optimizers.values())
    if first:
        print(as_text(opt))
        write_text(run_dir / "train_opt.txt", as_text(opt) + "\n")
        write_json(run_dir / "options.json", as_dict(opt))

    last = opt.n_epochs + opt.n_epochs_decay
    size = len(loader.dataset)
    log = LossLog(run_dir, last, opt.print_freq, progress.iters)
    panels = Panels(opt.display_server, opt.display_port, opt.display_env, opt.display_id, opt.display_ncols, opt.name)
    page = TrainingPage(run_dir, opt.name, opt.display_winsize)
    with Interrupts() as interrupts:
        for epoch in range(progress.epoch, last + 1):
            progress.epoch = epoch
            loader.sampler.set_position(epoch, progress.images)
            for batch in log.batches(epoch, loader, size, progress.images):
                count = len(batch["A"])
                losses = log.step(model.train_step(batch), count)
                progress.images += count
                progress.iters += count
                if losses:
                    panels.losses(epoch - 1 + progress.images / size, losses)
                if due(progress.iters, count, opt.display_freq):
                    panels.pictures(model.pictures())
                if due(progress.iters, count, opt.update_html_freq) and not opt.no_html:
                    page.add(epoch, model.pictures())
                if due(progress.iters, count, opt.save_latest_freq):
                    save_run(run_dir, model.networks, steppers, progress)
                    if opt.save_by_iter:
                        save_networks(run_dir, f"iter_{progress.iters}", model.networks)
                if interrupts.code:
                    save_run(run_dir, model.networks, steppers, progress)
                    print(f"\nstopped and saved; go on with: python train.py --name {opt.name} --continue_train")
                    return interrupts.code

            score, scores = None, {}
            if val_loader and epoch % opt.val_freq == 0:
                validation = evaluate(model, val_loader, opt.mask_threshold)
                score, scores = validation.score, validation.summary
                if progress.note_score(score):
                    save_networks(run_dir, "best", model.networks)
                panels.scores(epoch, scores)
            log.end_epoch(epoch, scores)
            step_schedulers(schedulers, distributed.from_first(score))
            progress.epoch, progress.images = epoch + 1, 0
            save_run(run_dir, model.networks, steppers, progress)
            if epoch % opt.save_epoch_freq == 0:
                save_networks(run_dir, epoch, model.networks)
            if opt.early_stop and progress.since_best >= opt.early_stop:
                print(f"no gain in {progress.since_best} validations: stopping; best epoch {progress.best_epoch}")
                break
    panels.close()
    return 0


if __name__ == "__main__":
    run_script(main)
