"""Adapt a frozen generator. What is trained is a small task beside it, and taking the task off leaves no trace."""

METHODS = ("masks", "ternary", "filter_bank", "lowrank", "norm_only", "head_only")
"""--adapt, for a generator that stays frozen (`models.piggyback.task.Settings`)."""

BANKS = ("base", "cumulative")
"""--bank"""
