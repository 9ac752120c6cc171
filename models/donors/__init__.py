"""Pretrained generators and encoders: find one by its name, read its architecture, start a network from it."""
