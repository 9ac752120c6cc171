"""What runs that started from one donor have learnt, what they forgot of its task, and what they cost.

    python forgetting.py --donor facades_photo2label --runs lungs --new_phase val
    python forgetting.py --donor DONOR --old_data datasets/facades --runs ft masks=lungs_masks --new_data datasets/lungs
    python forgetting.py --donor DONOR --runs ft=lungs,hearts masks=m_lungs,m_hearts

    python forgetting.py --donor DONOR --runs ft=ft_0+ft_1+ft_2 masks=masks_0+masks_1+masks_2

The third compares two ways to learn two new tasks, one after the other; the last three seeds of each way. Every
network is scored on every task. Leaves in results/<name>: index.html, forgetting.csv (a line a method),
forgetting.json (everything), images/.
"""

import itertools
from pathlib import Path

import options.forgetting
from data import DATASETS
from data.same_images import Shelf, Shelved, agree
from models import MODELS, pick_device
from models.apply.bench import Bench
from models.donors.find import find_donor, started_from, upstream_flags
from models.piggyback import METHODS as FROZEN
from options.forgetting import Runs
from util.errors import UserError, run_script
from util.files import replacing_folder, write_json
from util.forgetting import study
from util.forgetting.kid import InceptionFeatures, RandomFeatures
from util.forgetting.page import OURS, Pictures, write_forgetting_page
from util.forgetting.study import Measured, Method, Study, Task
from util.seeding import seed_everything


def main() -> int:
    opt = options.forgetting.parse()
    seed_everything(0)
    donor = find_donor(opt.donor, Path(opt.checkpoints_dir), "--donor")
    runs = Runs(opt, MODELS, DATASETS, donor, upstream_flags)
    device = pick_device(opt.gpu_ids)
    features = InceptionFeatures(opt.kid_weights).to(device) if opt.kid_weights else RandomFeatures()
    bench = Bench(runs.options, device, runs.donor, features)
    shelf = Shelf(opt.num_test)
    plans = {label: [plan(shelf, runs, label, names) for names in seeds] for label, seeds in opt.methods.items()}
    agree(
        {
            f"{label}{f' (seed {i + 1})' * (len(found) > 1)}": sets
            for label, found in plans.items()
            for i, (_, sets) in enumerate(found)
        }
    )
    results = Path(opt.results_dir) / opt.name
    with replacing_folder(results, OURS, "forgetting.json") as folder:
        pictures, methods = Pictures(folder, opt.pictures), []
        for label, seeds in opt.methods.items():
            found = []
            for names, (stages, sets) in zip(seeds, plans[label], strict=True):
                method = Method(label, names, runs.adapt(stages[-1]))
                learnt = follow(method, bench, stages, sets, pictures)
                method.chance = [study.chance(measured) for measured in learnt]
                method.strangers = strangers(runs, stages, donor, Path(opt.checkpoints_dir))
                method.costs = [bench.costs(stage, runs.recorded(stage)) for stage in stages[1:]]
                method.training = [study.training(runs.recorded(stage)) for stage in stages[1:]]
                method.curve = curve(method, bench, stages, sets, learnt, opt.curve_points)
                found.append(method)
            methods.append(study.merge(found))
        tasks = [Task(data.name, data.phase, len(data.loader.dataset)) for data in sets]
        found = Study(
            runs.donor_name, bench.costs(runs.donor, runs.recorded(runs.donor)), tasks, methods, features.name
        )
        write_json(folder / "forgetting.json", found.as_json())
        found.write_csv(folder / "forgetting.csv")
        write_forgetting_page(folder, found, pictures, opt.display_winsize)
    print(f"page: {results / 'index.html'}")
    return 0


def plan(shelf: Shelf, runs: Runs, label: str, names: list[str]) -> tuple[list[Path], list[Shelved]]:
    """The folders of the donor and of a method's runs, and what each learnt: read before anything is measured."""
    stages = [runs.donor, *(runs.folder(name) for name in names)]
    ways = [runs.adapt(stage) for stage in stages[1:]]
    if len({way in FROZEN for way in ways}) > 1:
        raise UserError(
            f"--runs {label}: some of its runs kept their donor frozen, others changed it (--adapt "
            f"{', '.join(ways)}); a sequence is learnt in one of the two ways"
        )
    return stages, [data_of_task(shelf, runs, stage, task) for task, stage in enumerate(stages)]


def strangers(runs: Runs, stages: list[Path], donor: Path, checkpoints_dir: Path) -> list[str]:
    """Runs that were free to forget and did not start from what they stand after, as far as their options.json tells:
    the donor, or the run before."""
    found = []
    for before, stage in itertools.pairwise(stages):
        recorded = runs.recorded(stage)
        if recorded.get("adapt") != "finetune" or "pretrained" not in recorded:
            continue
        expected = donor if before == runs.donor else find_donor(str(before), checkpoints_dir)
        if not started_from(str(recorded["pretrained"]), expected, checkpoints_dir):
            found.append(f"{stage.name} started from {recorded['pretrained'] or 'random weights'}, not {before.name}")
    return found


def data_of_task(shelf: Shelf, runs: Runs, learner: Path, task: int) -> Shelved:
    """The data of a task, as the run that learnt it reads them."""
    try:
        return shelf.get(runs.options(learner, task=task))
    except UserError as error:
        where = (
            f"new task {task} (--new_data, --new_mode, --new_phase, ...)"
            if task
            else ("old task (--old_data, --old_mode, --old_phase, ...)")
        )
        raise UserError(f"{where}: {error}") from error


def follow(method: Method, bench: Bench, stages: list[Path], sets: list[Shelved], pictures: Pictures) -> list[Measured]:
    """Measure the donor and then each run on every task; returns each task's figures just after it was learnt.

    Later outputs for a task are compared with what the run that learnt it put out then. With a frozen donor every
    learnt task has its own file, and the old task what is left when the last of them is taken off.
    """
    learnt: list[Measured] = []
    for after, stage in enumerate(stages):
        frozen = method.adapt in FROZEN and after > 0
        row = [
            bench.measure(stages[task] if frozen and 0 < task < after else stage, data)
            for task, data in enumerate(sets)
        ]
        if frozen:
            row[0], proof = bench.taken_off(stage, sets[0], sets[after])
            method.proofs.append(proof)
        learnt.append(row[after])
        method.measures.append([study.against(now, *learnt[task : task + 1]) for task, now in enumerate(row)])
        for task, (now, data) in enumerate(zip(row, sets, strict=True)):
            stood = f"{method.label}: {stage.name}" if after else "donor"
            if after or not pictures.rows.get(task):  # the donor is the same for every method
                print(f"{stood} on {data.name}: {study.line(now)}", flush=True)
            if after in (0, len(stages) - 1):
                pictures.add(task, data.loader.dataset, method.label if after else "donor", now)
    return learnt


def curve(
    method: Method, bench: Bench, stages: list[Path], sets: list[Shelved], learnt: list[Measured], most: int
) -> list[dict]:
    """Scores on every task at up to `most` of the epochs that each run saved, counted on from run to run; 0: the donor.

    What lies beside a frozen donor cannot change; `follow` proves it, and it is not measured anew at every epoch.
    """
    points = [{"epoch": 0, "scores": study.scores([bench.measure(stages[0], data) for data in sets], learnt)}]
    start = 0
    for after, stage in enumerate(stages[1:], 1):
        epochs = study.saved_epochs(stage)
        kept = after if method.adapt in FROZEN else 0
        for epoch in study.spread(epochs, most) if most else []:
            row = learnt[:kept] + [bench.measure(stage, data, epoch) for data in sets[kept:]]
            points.append({"epoch": start + epoch, "scores": study.scores(row, learnt)})
        start += max(epochs, default=0)
    return points[1:] if method.adapt == "scratch" else points  # a start at random is not the donor, and was not saved


if __name__ == "__main__":
    run_script(main)
