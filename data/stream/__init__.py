"""Images one after another, without a list of all: for segment.py, and for programs that hold them in memory."""

WRITERS = {"png": "_mask.png", "rle": "_mask.json", "dicomseg": "_mask.dcm"}
"""segment.py --write: each kind of file and how its name ends, after the image's own."""
