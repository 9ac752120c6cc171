"""Ways to fine-tune a whole generator with less forgetting: what the literature compares frozen donors with."""

RIVALS = ("ewc", "lwf")
"""--adapt, for a generator that is trained as a whole and held by its old tasks (`models.rivals.create`)."""

WEIGHTS = {"ewc": 1e5, "lwf": 0.75}
"""The default of --old_weight, tried on drawn images (benchmarks/lifelong.md)."""

FILE = "old_task.pth"
"""What a run keeps of its old tasks, in its folder."""
