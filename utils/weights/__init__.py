"""Weights by name: files on the web, verified and kept in a cache, and the public ones that the readers know."""
