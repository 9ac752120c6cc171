"""Several runs on the same images, side by side."""
