"""One side of the comparison: a process that trains with the program in a folder, and takes orders on standard input.

    python side.py ours|upstream FOLDER FLAG ...

An order is one line, its answer one line of JSON. `check FILE` trains one step on the batch in a file, from the weights
in it, and answers with the losses. `weights FILE` writes such weights. `steps N` trains N steps as the program's own
train.py does, with loading, and answers with the seconds and the seconds of processor time of each; `loads N` only
loads. `peak` answers with the most memory, in MB.

This file imports only Python and torch itself: both programs have packages named `options`, `data`, `models`, `util`.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any


class Ours:
    def __init__(self, flags: list[str]) -> None:
        import torch

        opt = import_module("options.train").parse(flags)
        self.loader = import_module("data").create_dataset(opt, "train", train=True)
        self.augment = import_module("data.augment").Augment(
            opt.augment, torch.device("cpu"), self.loader.dataset.labels
        )
        self.model = import_module("models").create_model(opt, torch.device("cpu"), training=True)
        self.networks = self.model.networks
        self.epoch = 0
        import_module("util.run.device").keep_freed_memory()

    def batches(self) -> Iterator[Any]:
        while True:
            self.epoch += 1
            self.loader.set_position(self.epoch)
            yield from self.loader

    def step(self, batch: Any) -> Any:
        return self.model.train_step(self.augment(batch))

    def losses(self, batch: Any) -> dict[str, float]:
        import torch

        blank = {"size": torch.full((len(batch["A"]), 2), 256), "index": torch.arange(len(batch["A"]))}
        found = self.step(batch | blank | {"A_paths": [], "B_paths": []})
        return {name: float(loss) for name, loss in found.items() if not name.startswith("acc_")}


class Upstream:
    def __init__(self, flags: list[str]) -> None:
        sys.argv = ["train.py", *flags]
        opt = import_module("options.train_options").TrainOptions().parse()
        if start := getattr(import_module("util.util"), "init_ddp", None):  # since August 2025
            opt.device = start()
        self.loader = import_module("data").create_dataset(opt)
        self.model = import_module("models").create_model(opt)
        self.model.setup(opt)
        self.networks = {name: getattr(self.model, f"net{name}") for name in self.model.model_names}

    def batches(self) -> Iterator[Any]:
        while True:
            yield from self.loader

    def step(self, batch: Any) -> None:
        self.model.set_input(batch)
        self.model.optimize_parameters()

    def losses(self, batch: Any) -> dict[str, float]:
        self.step(batch | {"A_paths": [], "B_paths": []})
        return dict(self.model.get_current_losses())


def serve(side: Ours | Upstream) -> Iterator[object]:
    """Answer one order after another."""
    import torch

    batches = side.batches()
    for line in sys.stdin:
        order, _, rest = line.strip().partition(" ")
        if order == "check":
            held = torch.load(rest, weights_only=True)
            for name, state in held["networks"].items():
                side.networks[name].load_state_dict(state)
            torch.manual_seed(0)
            yield side.losses(held["batch"])
        elif order == "weights":
            torch.save({name: net.state_dict() for name, net in side.networks.items()}, rest)
            yield True
        elif order == "steps":
            yield [timed(lambda: side.step(next(batches))) for _ in range(int(rest))]
        elif order == "loads":
            yield [timed(lambda: next(batches)) for _ in range(int(rest))]
        elif order == "peak":
            yield resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """The seconds and the seconds of processor time that some work takes."""
    start, before = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - before


def main() -> None:
    which, folder, *flags = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr  # what the programs print is no answer
    sys.path[0] = folder
    for answer in serve({"ours": Ours, "upstream": Upstream}[which](flags)):
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
