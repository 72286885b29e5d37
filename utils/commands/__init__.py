"""The commands of the zoo, by what they are for. `command.py` says what a command is, and how each one runs."""

from mindzoo.utils.commands.command import Command, read_command, run_command
from mindzoo.utils.commands.of_networks import EVAL, EXPORT, TRAIN, evaluate, export, train

__all__ = ["EVAL", "EXPORT", "TRAIN", "Command", "evaluate", "export", "read_command", "run_command", "train"]
