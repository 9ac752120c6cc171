"""Find masks of a data set that disagree with what trained networks draw, and pictures that are in it twice."""
