"""Ways to fine-tune a whole generator with less forgetting: what the literature compares frozen donors with."""

RIVALS = ("ewc", "lwf")
"""--adapt, for a generator that is trained as a whole and held by its old task (`models.rivals.create`)."""

WEIGHTS = {"ewc": 1000.0, "lwf": 75.0}
"""The default of --old_weight, tried on drawn images with --lambda_L1 100 (benchmarks/lifelong.md)."""
