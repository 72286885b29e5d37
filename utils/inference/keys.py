"""The configuration keys of prediction, and of the conversion of checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.checkpoints.foreign_names import EVALUATIONS
from mindzoo.utils.config.image_keys import PreprocessingKeys
from mindzoo.utils.config.keys import CheckpointKeys, ClassNameKeys, EngineKeys, RanksKeys, RecipeKeys
from mindzoo.utils.config.reading import key


@dataclass(frozen=True)
class PredictConfig(CheckpointKeys, EngineKeys, ClassNameKeys, PreprocessingKeys, RanksKeys, RecipeKeys):
    """Prediction"""

    images: tuple[str, ...] = key((), "image files, or folders of them", positional=True)
    top_k: int = key(5, "how many classes to name per image", minimum=1)
    output: str = key("", "file to write as well, .json or .csv")


@dataclass(frozen=True)
class ConvertConfig:
    """Conversion"""

    files: tuple[str, ...] = key(
        (), "IN: any checkpoint that can be read; OUT: the file to write, .ckpt", positional=True
    )
    weights: str = key("averaged", "which weights of a checkpoint that holds both", choices=("averaged", "raw"))
    preprocessing: str = key(
        "auto",
        "how images were preprocessed for the weights, to be recorded; zoo: as for the original; timm, torchvision: the shorter side resized; auto: what the file says, else by the names in it",
        choices=("auto", *EVALUATIONS),
    )
    overwrite: bool = key(False, "write OUT also where it exists")
