"""Shows runs while they go on: a page of each and a list of all, on this machine alone unless more is asked for."""
