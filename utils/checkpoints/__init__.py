"""Checkpoints: what is in a file, what network it is of, and files from elsewhere."""
