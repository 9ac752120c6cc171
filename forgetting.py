"""Measure what runs that started from one donor learnt, what they forgot, and what they cost.

    python forgetting.py --donor facades_photo2label --runs lungs --new_phase val
    python forgetting.py --donor DONOR --old_data datasets/facades --runs ft masks=lungs_masks --new_data datasets/lungs
    python forgetting.py --donor DONOR --runs ft=lungs,hearts masks=m_lungs,m_hearts
    python forgetting.py --donor DONOR --runs ft=ft_0+ft_1+ft_2 masks=masks_0+masks_1+masks_2

The third command compares two methods that each learn two new tasks, one after the other; the fourth compares means
over three seeds of each method. Every network is scored on every task. The results are in results/<name>, or in
results/<name>_<data> or results/<name>_<data>_<runs> if that holds results of other data or runs: index.html,
forgetting.csv (a line for each method), forgetting.json (everything) and images/.
"""

from __future__ import annotations

import options  # noqa: F401 - before all others, for Ctrl-C

# isort: split
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from options.forgetting import parse
from options.recorded import note_learnt
from options.results import data_of, name_of, place
from options.runs import Runs
from util.errors import run_script
from util.files import replacing_folder

if TYPE_CHECKING:  # torch takes seconds to import
    from util.forgetting.plan import Plan


def main() -> int:
    asked = parse()
    # torch takes seconds to load, and --help and a mistyped flag need not wait for it.
    from data.same_images import ImageSets
    from models.apply.bench import Bench
    from models.donors.find import find_donor, upstream_options, wrong_starts
    from util.forgetting.follow import measure_method, start_scores
    from util.forgetting.kid import create_features
    from util.forgetting.page import OURS, write_forgetting_page
    from util.forgetting.pictures import Pictures
    from util.forgetting.plan import read_plans
    from util.forgetting.results import write_results
    from util.forgetting.study import Study, merge
    from util.run.device import pick_device
    from util.seeding import seed_everything

    opt, checkpoints_dir = asked.opt, Path(asked.opt.checkpoints_dir)
    seed_everything(0)
    donor = find_donor(opt.donor, checkpoints_dir, "--donor")
    runs = Runs(asked, donor, upstream_options)
    device = pick_device(opt.gpu_ids)
    features = create_features(opt.kid_weights, device)
    bench = Bench(runs.options, device, runs.donor, features)
    plans = read_plans(asked.methods, runs, ImageSets(opt.num_test).get)
    tasks = [runs.options(stage, task=task) for task, stage in enumerate(plans[0][0].stages)]
    data = [data_of(task) | {"phase": task.phase} | asked.compared(number) for number, task in enumerate(tasks)]
    names = dict.fromkeys(map(name_of, data[1:]))
    page, labels = Path(opt.results_dir) / opt.name, "+".join(asked.methods)
    results = place(page, "+".join(names), data, "forgetting.json", more=labels)
    with replacing_folder(results, OURS, "forgetting.json") as folder:
        pictures = Pictures(folder, opt.pictures)
        methods = [merge([measure_method(p, bench, pictures, opt.curve_points) for p in seeds]) for seeds in plans]
        starts = [wrong_starts(plan.stages, plan.recorded, donor, checkpoints_dir) for plan in chain(*plans)]
        donor_costs = bench.costs(runs.donor, runs.recorded(runs.donor))
        notes = (starts, note_overlaps(plans, runs), start_scores(bench, plans[0][0].data))
        study = Study(runs.donor_name, donor_costs, plans[0][0].tasks, methods, features.name, *notes)
        write_results(folder, study, data)
        write_forgetting_page(folder, study, pictures, opt.display_winsize)
    print(f"page: {results / 'index.html'}")
    return 0


def note_overlaps(plans: list[list[Plan]], runs: Runs) -> list[str]:
    """Print and return a phrase for each run that learnt from images that it is tested on, or may have. They are of its
    task, or of one before it: --replay may have brought other images of that than its run had."""
    tested = {
        (stage, task): plan.data[task]
        for plan in chain(*plans)
        for last, stage in enumerate(plan.stages)
        for task in range(last + 1)
    }
    return [
        f"{stage.name} {phrase} (images of {data.name})"
        for (stage, task), data in tested.items()
        if (phrase := note_learnt(runs.options(stage, task=task), data.loader.dataset))
    ]


if __name__ == "__main__":
    run_script(main)
