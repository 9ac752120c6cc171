"""What a training shows besides the page's frame: its validation cases, and TensorBoard's events."""
