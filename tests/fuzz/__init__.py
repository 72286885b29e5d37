"""Fuzzing of what reads people's files: damaged and made-up files, each in a process with limits, and a count of verdicts.

A target is one file, `target_NAME.py`, with one constant, `TARGET`, a `target.Target`: good files (`seeds`), and the
function that reads one (`read`), which gives something that `==` compares or raises UserError. What files without a
checksum cannot show is in `may_differ`, and what the generic damage of `mutate.py` does not reach in `mutations`. Nothing
else needs a change: `python tests/fuzz` finds the file.
"""
