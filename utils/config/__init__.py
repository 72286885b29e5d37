"""Typed configuration: what a key is, how flags and recipes are read, and the keys that networks share."""
