"""Adapt a frozen generator: what is trained is a small task beside it, and taking the task off leaves no trace."""

from models.piggyback.files import TaskFile, load_task, read_task
from models.piggyback.task import METHODS, Settings, Task, attach, detach, materialize, switch
from util.run.checkpoint import fingerprint

__all__ = [
    "METHODS",
    "Settings",
    "Task",
    "TaskFile",
    "attach",
    "detach",
    "fingerprint",
    "load_task",
    "materialize",
    "read_task",
    "switch",
]
