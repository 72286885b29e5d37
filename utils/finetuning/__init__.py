"""A training that begins from weights: its keys chosen from the data and the machine."""
