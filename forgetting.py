"""What runs that started from one donor have learnt, what they forgot of its task, and what they cost.

    python forgetting.py --donor facades_photo2label --runs lungs --new_phase val
    python forgetting.py --donor DONOR --old_data datasets/facades --runs ft masks=lungs_masks --new_data datasets/lungs
    python forgetting.py --donor DONOR --runs ft=lungs,hearts masks=m_lungs,m_hearts

The last compares two ways to learn two new tasks, one after the other. Every network is scored on every task. Leaves in
results/<name>: index.html, forgetting.csv (a line a method), forgetting.json (everything), images/.
"""

import argparse
import re
from pathlib import Path

import options.forgetting
from data import DATASETS, create_dataset
from data.loader import Loader
from models import MODELS, create_model, load_networks, pick_device
from models.base import BaseModel
from models.pretrained import find_donor, infer_architecture
from options.parser import read_options
from util import study
from util.checkpoint import network_path, read_state_dict, write_json
from util.errors import UserError, run_script
from util.forgetting_page import OURS, Pictures, write_forgetting_page
from util.results import replacing_folder
from util.seeding import seed_everything
from util.study import Measured, Method, Study, Task

# What decides which pixels a data set gives: where runs agree in these, it is read once for all.
READING = (
    "dataroot", "dataset_mode", "phase", "classes", "direction", "input_nc", "output_nc", "preprocess", "crop_size",
    "source", "patient_regex", "split_seed", "fold", "phantom", "phantom_count",
)  # fmt: skip


def main() -> int:
    opt = options.forgetting.parse()
    seed_everything(0)
    bench = Bench(opt)
    results = Path(opt.results_dir) / opt.name
    with replacing_folder(results, OURS, "forgetting.json") as folder:
        pictures = Pictures(folder, opt.pictures)
        methods = [follow(bench, label, runs, pictures) for label, runs in opt.methods.items()]
        tasks = [bench.task(number) for number in range(1 + opt.new_tasks)]
        found = Study(bench.donor.name, bench.costs(bench.donor), tasks, methods)
        write_json(folder / "forgetting.json", found.as_json())
        found.write_csv(folder / "forgetting.csv")
        write_forgetting_page(folder, found, pictures, opt.display_winsize)
    print(f"page: {results / 'index.html'}")
    return 0


def follow(bench: "Bench", label: str, runs: list[str], pictures: Pictures) -> Method:
    """Measure the donor, and each run of a method in turn, on every task.

    What the run that learnt a task put out then is what later outputs for that task are compared with.
    """
    stages = [bench.donor, *(bench.folder(run) for run in runs)]
    method = Method(label, runs, bench.adapt(stages[-1]))
    loaders = [bench.loader(folder, task) for task, folder in enumerate(stages)]
    learnt: list[Measured] = []
    for after, folder in enumerate(stages):
        row = [bench.measure(folder, loader) for loader in loaders]
        learnt.append(row[after])
        method.measures.append([study.against(now, *learnt[task : task + 1]) for task, now in enumerate(row)])
        for task, now in enumerate(row):
            said = ", ".join(f"{name} {value:.4f}" for name, value in now.evaluation.means.items())
            print(f"{label}: {folder.name} on {bench.task(task).name}: {said or 'no ground truth'}", flush=True)
            if folder in (stages[0], stages[-1]):
                pictures.add(task, loaders[task].dataset, label if after else "donor", now)
    method.chance = [study.chance(found) for found in learnt]
    method.costs = [bench.costs(folder) for folder in stages[1:]]
    method.curve = curve(bench, stages, loaders, learnt) if bench.opt.curve_points else []
    return method


def curve(bench: "Bench", stages: list[Path], loaders: list[Loader], learnt: list[Measured]) -> list[dict]:
    """Scores on every task at the epochs that the runs saved; `epoch` counts on from run to run, 0 is the donor."""
    def scores(folder: Path, epoch: str | int | None) -> list[float | None]:
        found = (bench.measure(folder, loader, epoch) for loader in loaders)
        measures = [study.against(now, then) for now, then in zip(found, learnt, strict=True)]
        return [found[study.score_name(found)] for found in measures]

    points, before = [], 0
    if bench.adapt(stages[1]) != "scratch":  # whose start is not the donor, and was not saved
        points.append({"epoch": 0, "scores": scores(stages[0], None)})
    for folder in stages[1:]:
        epochs = study.saved_epochs(folder)
        points += [{"epoch": before + epoch, "scores": scores(folder, epoch)}
                   for epoch in study.spread(epochs, bench.opt.curve_points)]  # fmt: skip
        before += epochs[-1] if epochs else 0
    return points


class Bench:
    """Runs and data sets as test.py would have them, each built once."""

    def __init__(self, opt: argparse.Namespace):
        self.opt, self.device = opt, pick_device(opt.gpu_ids)
        file = find_donor(opt.donor, Path(opt.checkpoints_dir)).resolve()
        made = re.fullmatch(r"(.+)_net_G(_A)?\.pth", file.name)
        if not made:
            raise UserError(f"--donor {opt.donor}: call the file {file.name} latest_net_G.pth, in a folder of its own")
        self.donor, self._donor_epoch = file.parent, made[1]
        self._options: dict[tuple, argparse.Namespace] = {}
        self._loaders: dict[tuple, Loader] = {}
        self._tasks: dict[int, Task] = {}
        self._of_donor: dict[Loader, Measured] = {}
        self._model: tuple[tuple, BaseModel | None] = ((), None)

    def folder(self, run: str) -> Path:
        """The folder of one of --runs."""
        folder = (Path(self.opt.checkpoints_dir) / run).resolve()
        if not folder.is_dir():
            raise UserError(f"--runs {run}: there is no run {folder}; check the name and --checkpoints_dir")
        return folder

    def adapt(self, folder: Path) -> str:
        """How the run learnt: train.py's --adapt; finetune where nothing is recorded."""
        return str(self._recorded(folder).get("adapt", "finetune"))

    def task(self, number: int) -> Task:
        """A task whose data have been read; 0 is the old one."""
        return self._tasks[number]

    def loader(self, folder: Path, number: int) -> Loader:
        """The data of a task, as the run that learnt it reads them."""
        opt = self._as_test(folder, None, number)
        key = tuple(getattr(opt, name, None) for name in READING)
        if key not in self._loaders:
            try:
                self._loaders[key] = create_dataset(opt, opt.phase, train=False, num_test=self.opt.num_test)
            except UserError as error:
                flags = "the old task (--old_data, --old_mode, --old_phase ..." if not number else (
                    f"new task {number} (--new_data, --new_mode, --new_phase ...")
                raise UserError(f"{flags}): {error}") from error
        name = Path(opt.dataroot).resolve().name if opt.dataroot else getattr(opt, "phantom", opt.dataset_mode)
        name += " reversed" if opt.direction == "BtoA" else ""
        self._tasks.setdefault(number, Task(name, opt.phase, len(self._loaders[key].dataset)))
        return self._loaders[key]

    def measure(self, folder: Path, loader: Loader, epoch: str | int | None = None) -> Measured:
        """A run on a task's data, by default at --epoch."""
        if folder == self.donor and loader in self._of_donor:
            return self._of_donor[loader]
        opt = self._as_test(folder, epoch)
        found = study.measure(self._load(folder, epoch), loader, opt.mask_threshold, (opt.input_nc, opt.output_nc))
        if folder == self.donor:
            self._of_donor[loader] = found
        return found

    def costs(self, folder: Path) -> dict:
        """What the run's generators cost."""
        model, opt = self._load(folder, None), self._as_test(folder, None)
        nets = {name: net for name, net in model.networks.items() if name.startswith("G")}
        files = [network_path(folder, opt.epoch, name) for name in nets]
        trained = sum(parameter.numel() for net in nets.values() for parameter in net.parameters())
        return study.costs(files, trained, folder, self._recorded(folder))

    def _load(self, folder: Path, epoch: str | int | None) -> BaseModel:
        key = folder, epoch
        if self._model[0] != key:
            opt = self._as_test(folder, epoch)
            model = create_model(opt, self.device, training=False)
            load_networks(model, folder, opt.epoch, opt)
            self._model = key, model
        return self._model[1]

    def _as_test(self, folder: Path, epoch: str | int | None, task: int | None = None) -> argparse.Namespace:
        key = folder, epoch, task
        if key not in self._options:
            epoch = epoch or (self._donor_epoch if folder == self.donor else self.opt.epoch)
            words = _make(folder, epoch) + ([] if task is None else options.forgetting.words_of_task(self.opt, task))
            self._options[key] = options.forgetting.as_test(self.opt, MODELS, DATASETS, folder, epoch, words)
        return self._options[key]

    def _recorded(self, folder: Path) -> dict[str, object]:
        path = folder / "options.json"
        return read_options(path) if path.is_file() else {}


def _make(folder: Path, epoch: str | int) -> list[str]:
    """The flags that build the generator of a folder that upstream wrote, which records none."""
    for side in ("", "_A"):
        path = network_path(folder, epoch, f"G{side}")
        if path.is_file() and not (folder / "options.json").is_file():
            if made := infer_architecture(read_state_dict(path)):
                return [*made.flags().split(), "--model=test", f"--model_suffix={side}"]
    return []


if __name__ == "__main__":
    run_script(main)
