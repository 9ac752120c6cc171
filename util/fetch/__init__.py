"""Files from elsewhere: what there is, downloading, unpacking."""
