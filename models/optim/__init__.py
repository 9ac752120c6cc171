"""Optimizers and learning-rate schedules, by the flags that choose them."""

OPTIMIZERS = {"adam": "torch.optim:Adam", "adamw": "torch.optim:AdamW", "sgd": "torch.optim:SGD"}
"""--optimizer"""

LR_POLICIES = {
    "linear": "models.optim.schedules:linear",
    "step": "models.optim.schedules:step",
    "plateau": "models.optim.schedules:plateau",
    "cosine": "models.optim.schedules:cosine",
}
"""--lr_policy: each gives the schedule of an optimizer."""
