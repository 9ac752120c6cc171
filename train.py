"""Train an image translator, or fine-tune a pretrained one into a segmenter.

    python train.py --dataset_mode phantom --name phantom_lungs --netG unet_64 --load_size 72 --crop_size 64
    python train.py --dataroot DATA --dataset_mode masks --name lungs --pretrained DONOR --ngf 16
    python train.py --name lungs --continue_train

Leaves in checkpoints/<name>: latest_net_G.pth, best_net_G.pth (by the validation score), loss_log.txt, metrics.csv,
web/index.html, options.json and latest_train_state.pth (for --continue_train). With --adapt masks and the like the
donor stays frozen and the generator's files are latest_task_G.pth and best_task_G.pth.
"""

from pathlib import Path

import options.train
from data import DATASETS, create_dataset, create_validation
from data.augment import Augment
from models import MODELS, Averages, create_model, create_schedulers, load_networks, pick_device, step_schedulers
from models.apply.translators import tiled
from models.optim.optimizers import clip_gradients, freeze_encoders
from options.parser import as_dict, as_text
from util import distributed
from util.errors import UserError, run_script
from util.files import write_json, write_text
from util.run.checkpoint import save_networks
from util.run.log import LossLog, due
from util.run.state import Interrupts, Progress, load_run, save_run, set_aside
from util.score.evaluate import evaluate
from util.score.mask_rule import MaskRule
from util.score.running import RunningScores
from util.seeding import seed_everything
from util.show.panels import Panels
from util.show.training_page import TrainingPage


def main() -> int:
    opt = options.train.parse(MODELS, DATASETS)
    distributed.start()
    first, processes = distributed.rank() == 0, distributed.world_size()
    device = pick_device(opt.gpu_ids)
    seed_everything(opt.seed + distributed.rank())
    loader = create_dataset(opt, opt.phase, train=True)
    val_loader = create_validation(opt) if first and opt.val_freq else None
    if first and not val_loader and (opt.early_stop or opt.lr_policy == "plateau"):
        flag = "--early_stop" if opt.early_stop else "--lr_policy plateau"
        raise UserError(
            f"{flag} watches the validation score, and there is no validation: take --val_freq 1 and data "
            "with a phase val"
        )
    augment = Augment(opt.augment, device, loader.dataset.labels)
    model = create_model(opt, device, training=True)
    schedulers = create_schedulers(opt, model.optimizers)
    averages = Averages(model, opt.ema)
    run_dir = Path(opt.checkpoints_dir) / opt.name
    steppers = {
        "optimizers": model.optimizers,
        "schedulers": schedulers,
        "pools": model.pools,
        "tasks": model.tasks,
        "averages": averages,
    }
    progress = Progress(epoch=opt.epoch_count)
    last, size = opt.n_epochs + opt.n_epochs_decay, loader.sampler.images
    if opt.continue_train:
        fresh = load_networks(model, run_dir, opt.epoch, opt)
        resumed = load_run(run_dir, steppers) if opt.epoch == "latest" and not fresh else None
        progress = resumed or progress
        print(f"continuing at epoch {progress.epoch}" + ("" if resumed else ": optimizers start afresh"))
    distributed.share(model.networks.values(), model.optimizers.values())
    clip_gradients(model.optimizers.values(), opt.clip_grad)
    if first:
        print(as_text(opt), model.describe(opt.verbose), sep="\n")
        if not opt.continue_train:
            set_aside(run_dir)
        write_text(run_dir / "train_opt.txt", as_text(opt) + "\n")
        write_json(run_dir / "options.json", as_dict(opt))

    log = LossLog(run_dir if first else None, last, opt.print_freq, progress.iters)
    display_id = opt.display_id if first else 0
    panels = Panels(opt.display_server, opt.display_port, opt.display_env, display_id, opt.display_ncols, opt.name)
    if first and opt.continue_train:
        panels.recall(run_dir, size)
    page = TrainingPage(run_dir, opt.name, opt.display_winsize) if first and not opt.no_html else None
    rule = MaskRule.of(opt)
    running = RunningScores(loader.dataset, rule.threshold)
    with Interrupts() as interrupts:
        for epoch in range(progress.epoch, last + 1):
            progress.epoch = epoch
            loader.sampler.set_position(epoch, progress.images)
            freeze_encoders(model.networks, epoch, opt.freeze_encoder)
            stop = False
            for batch in log.batches(epoch, loader, size, progress.images):
                count = len(batch["A"]) * processes
                printed = log.step(model.train_step(augment(batch)), count)
                running.add(model.pictures())
                averages.update()
                progress.images += count
                progress.iters += count
                if printed:
                    panels.losses(epoch - 1 + progress.images / size, printed)
                if due(progress.iters, count, opt.display_freq):
                    panels.pictures(model.pictures())
                if page and due(progress.iters, count, opt.update_html_freq):
                    page.add(epoch, model.pictures())
                if due(progress.iters, count, opt.save_latest_freq):
                    averages.swap()
                    save_run(run_dir, model.networks, steppers, progress)
                    if opt.save_by_iter:
                        save_networks(run_dir, f"iter_{progress.iters}", model.networks, model.tasks)
                    averages.swap()
                if stop := distributed.any_process(bool(interrupts.code)):
                    break

            averages.swap()  # they are what is validated and saved
            if not stop:
                score, scores = None, running.means()
                if val_loader and epoch % opt.val_freq == 0:
                    validation = evaluate(tiled(model, opt), val_loader, rule, loss=model.loss)
                    score, measured = validation.score, validation.means | validation.losses
                    scores |= {f"val_{name}": x for name, x in measured.items()}
                score = distributed.from_first(score)
                if score is not None and progress.note_score(score):
                    save_networks(run_dir, "best", model.networks, model.tasks)
                panels.epoch(epoch, log.end_epoch(epoch, scores) | scores)
                if page:
                    page.add(epoch, model.pictures())
                step_schedulers(schedulers, score)
                if epoch % opt.save_epoch_freq == 0:
                    save_networks(run_dir, epoch, model.networks, model.tasks)
                progress.epoch, progress.images = epoch + 1, 0
            save_run(run_dir, model.networks, steppers, progress)
            averages.swap()
            if stop or distributed.any_process(bool(interrupts.code)):
                print(f"\nstopped and saved; to go on: {options.train.resume_command(opt)}")
                break
            if opt.early_stop and progress.since_best >= opt.early_stop:
                print(f"no gain in {progress.since_best} validations: stopping; best epoch {progress.best_epoch}")
                break
    if page:
        page.close()
    panels.close()
    distributed.stop()
    return interrupts.code


if __name__ == "__main__":
    run_script(main)
