"""A campaign of faults: trainings are killed, stopped, and lose their disk, data or each other; what is left is compared.

A chain is one training that meets one fault after another and goes on after each with `--resume auto`. Its end is
compared, bit by bit, with that of the same training without a break.
"""
