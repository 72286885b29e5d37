"""mindzoo: image classification and retrieval networks for MindSpore, from training to export."""

from mindzoo.utils.environment import prepare

__version__ = "0.1.0"

prepare()
