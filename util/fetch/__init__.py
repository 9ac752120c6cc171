"""Published data sets and generators: the catalogue, downloading, unpacking."""
