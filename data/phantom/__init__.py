"""Drawn chest X-rays and house fronts with their labels: data without a download, the same on every machine."""

from data.phantom.chests import chest, pneumothorax
from data.phantom.dataset import PhantomDataset
from data.phantom.facades import facade

__all__ = ["PhantomDataset", "chest", "facade", "pneumothorax"]
