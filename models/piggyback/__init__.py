"""Adapt a frozen generator: what is trained is a small task beside it, and taking the task off leaves no trace."""

from models.piggyback.task import (
    BANKS,
    METHODS,
    Settings,
    Task,
    attach,
    current,
    detach,
    fingerprint,
    materialize,
    switch,
)

__all__ = [
    "BANKS", "METHODS", "Settings", "Task", "attach", "current", "detach", "fingerprint", "materialize", "switch",
]  # fmt: skip
