"""Pretrained generators and encoders: found, read, fitted."""
