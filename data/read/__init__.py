"""One file to pixels or labels; which files belong together."""
