"""Adapt a frozen generator: what is trained is a small task beside it, and taking the task off leaves no trace."""

from models.piggyback.files import TaskFile, load_task, read_task, save_task
from models.piggyback.task import BANKS, METHODS, Settings, Task, attach, current, detach, materialize, switch
from util.checkpoint import fingerprint

__all__ = [
    "BANKS", "METHODS", "Settings", "Task", "TaskFile", "attach", "current", "detach", "fingerprint", "load_task",
    "materialize", "read_task", "save_task", "switch",
]  # fmt: skip
