"""mindzoo: image classification and retrieval networks for MindSpore, from training to export.

`mindzoo.Classifier` names what is in images and makes vectors of them, and `mindzoo.Index` finds images by these. What
they raise is `mindzoo.UserError`, with one sentence. MindSpore is loaded when it is needed first.
"""

from typing import TYPE_CHECKING, Any

from mindzoo.utils.environment import prepare

if TYPE_CHECKING:
    from mindzoo.api import Classifier, Prediction
    from mindzoo.models import create_model, list_models
    from mindzoo.utils.errors import UserError
    from mindzoo.utils.retrieval.asked import Index, Match

__version__ = "0.1.0"
__all__ = [
    "Classifier",
    "Index",
    "Match",
    "Prediction",
    "UserError",
    "__version__",
    "create_model",
    "list_models",
]

prepare()


def __getattr__(name: str) -> Any:
    """A public name, from where it is defined."""
    if name in ("Classifier", "Prediction"):
        from mindzoo.utils.environment import check_mindspore

        check_mindspore()
        from mindzoo import api

        return getattr(api, name)
    if name in ("create_model", "list_models"):
        from mindzoo import models

        return getattr(models, name)
    if name in ("Index", "Match"):
        from mindzoo.utils.retrieval import asked

        return getattr(asked, name)
    if name == "UserError":
        from mindzoo.utils.errors import UserError

        return UserError
    raise AttributeError(f"module 'mindzoo' has no attribute '{name}'")
