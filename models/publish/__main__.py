"""Upload a run to the Hugging Face hub: its card, its options and the weights of its best epoch, or else its latest."""

import argparse
import json
import re
from pathlib import Path

from options.complete.names import existing_run
from options.recorded import read_for_others
from util.commands import CHECKPOINTS_DIR
from util.errors import UserError, run_script
from util.folds.record import refuse_folds


def main() -> None:
    parser = argparse.ArgumentParser("python -m models.publish", description=__doc__)
    parser.add_argument("run", metavar="RUN", help="the run; its README.md must name a licence")
    parser.add_argument("--repo", required=True, metavar="OWNER/NAME", help="the repository on the hub")
    parser.add_argument("--private", action="store_true", help="show it to nobody else")
    parser.add_argument("--checkpoints_dir", type=Path, default=CHECKPOINTS_DIR, help="folder of all runs")
    args = parser.parse_args()
    folder = existing_run(args.checkpoints_dir, args.run, f"run {args.run}")
    refuse_folds(args.checkpoints_dir, args.run, f"run {args.run}")
    upload(contents(folder), args.repo, args.private)


def contents(folder: Path) -> dict[str, Path | bytes]:
    """What is uploaded of a run, by name. UserError: no card, no licence, or weights that are of no use alone."""
    card = folder / "README.md"
    licence = r"---\n(?:.+\n)*?license:[ \t]*[^\s#]"
    if not card.is_file() or not re.match(licence, card.read_text("utf-8", errors="replace")):
        raise UserError(f"{card}: no card with a licence; train.py writes one (per fold): fill in its line `license:`")
    weights = sorted(folder.glob("best_net_G*.pth")) or sorted(folder.glob("latest_net_G*.pth"))
    if not weights or any(folder.glob("*_task_G*")):  # of a CycleGAN, one generator alone may be a task
        raise UserError(f"{folder}: no best_net_G.pth or latest_net_G.pth; a task is of no use without its donor")
    options = json.dumps(read_for_others(folder), indent=2).encode()
    return {"README.md": card, "options.json": options} | {path.name: path for path in weights}


def upload(files: dict[str, Path | bytes], repo: str, private: bool) -> None:
    """Say what goes where, and upload it. UserError: no token, or the hub refuses."""
    from huggingface_hub import CommitOperationAdd, HfApi, get_token

    if not get_token():
        raise UserError("no token for the hub: `hf auth login`, or set HF_TOKEN")
    print(f"to {repo} on the hub{', private' * private}: {', '.join(files)}", flush=True)
    try:
        api = HfApi()
        url = api.create_repo(repo, private=private, exist_ok=True)
        if private and not api.repo_info(repo).private:
            raise ValueError(f"{url} exists already and is public")
        operations = [CommitOperationAdd(name, content) for name, content in files.items()]
        print(api.create_commit(repo, operations, commit_message="Upload by pix2mask").commit_url)
    except Exception as error:  # the library's errors have no class in common
        raise UserError(f"--repo {repo}: not uploaded: {error}") from error


if __name__ == "__main__":
    run_script(main)
