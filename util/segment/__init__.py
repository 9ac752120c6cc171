"""segment.py's stream of images, and its manifest."""
