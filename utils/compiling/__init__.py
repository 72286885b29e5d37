"""Compiling: what is compiled, whether it was compiled before, and what is shown meanwhile."""
