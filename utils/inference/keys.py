"""The configuration keys of prediction, and of the conversion of checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.checkpoint_keys import CheckpointKeys, ClassNameKeys, EngineKeys
from mindzoo.utils.config.image_keys import EVALUATIONS, BadImageKeys, PreprocessingKeys
from mindzoo.utils.config.machine_keys import CompileKeys, RanksKeys, RecipeKeys
from mindzoo.utils.config.reading import key
from mindzoo.utils.explaining.methods import METHODS


@dataclass(frozen=True)
class PredictConfig(CheckpointKeys, EngineKeys, ClassNameKeys, PreprocessingKeys, RanksKeys, RecipeKeys):
    """Prediction"""

    images: tuple[str, ...] = key(
        (),
        "image files, folders of them, patterns such as 'photos/*.jpg', or - for standard input: a list of files, one a line, or an image",
        positional=True,
    )
    top_k: int = key(5, "how many classes to name per image", minimum=1)
    threshold: float = key(
        0.0,
        "an image whose most probable class is below this probability is marked as unsure; 0: none is",
        minimum=0,
        maximum=1,
    )
    output: str = key("", "file to write as well, .json, .jsonl or .csv")
    html: str = key("", "page of the pictures with bars of the probabilities to write, .html")
    contact_sheet: str = key("", "picture to write with all pictures, their names and classes, .png")
    explain: str = key(
        "none",
        "draw where in the image the network finds the class; gradcam: by the gradient of the classifier; occlusion: by hiding parts of the image, which asks the network 132 times",
        choices=("none", *METHODS),
    )
    explain_dir: str = key(
        "", "folder for the heat maps; without it they lie beside the page", only_with=("explain", METHODS)
    )


@dataclass(frozen=True)
class ConvertConfig:
    """Conversion"""

    files: tuple[str, ...] = key(
        (), "IN: any checkpoint that can be read, also from the web; OUT: the file to write, .ckpt", positional=True
    )
    weights: str = key("averaged", "which weights of a checkpoint that holds both", choices=("averaged", "raw"))
    preprocessing: str = key(
        "auto",
        "how images were preprocessed for the weights, to be recorded; zoo: as for the original; timm, torchvision: the shorter side resized; auto: what the file says, else by the names in it",
        choices=("auto", *EVALUATIONS),
    )
    overwrite: bool = key(False, "write OUT also where it exists")


@dataclass(frozen=True)
class AverageConfig(EngineKeys, BadImageKeys, CompileKeys):
    """Averaging"""

    files: tuple[str, ...] = key(
        (), "checkpoints of one network, or folders of which every checkpoint is taken", positional=True
    )
    output: str = key("", "file to write, .ckpt")
    weights: str = key("averaged", "which weights of a checkpoint that holds both", choices=("averaged", "raw"))
    greedy: bool = key(
        False,
        "take the checkpoints one by one, the best first, and keep those with which the mean is no worse on data_dir",
    )
    recalibrate: bool = key(
        False, "compute the statistics of batch norm anew, on the training images of data_dir, for the mean"
    )
    data_dir: str = key(
        "",
        "class folders, or a pack: validation images for greedy, training images for recalibrate; a folder that holds train/ and val/ serves both",
    )
    batch_size: int = key(32, "images per step", minimum=1)
    workers: int = key(0, "threads that read images; 0: chosen from the number of cores", minimum=0)
    overwrite: bool = key(False, "write output also where it exists")
