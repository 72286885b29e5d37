"""The configuration keys of where a command runs: its recipe, device, ranks, compiled graphs, buckets."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key

DEVICES = ("auto", "Ascend", "GPU", "CPU")


@dataclass(frozen=True)
class RecipeKeys:
    """The recipe"""

    config_path: str = key("", "YAML file with values for any of these keys; flags win over it")


@dataclass(frozen=True)
class DeviceKeys:
    """Device"""

    device_target: str = key("auto", "where to compute; auto is Ascend where there is one, else CPU", choices=DEVICES)


@dataclass(frozen=True)
class CompileKeys(DeviceKeys):
    """Compiled graphs"""

    compile_cache: str = key(
        "auto",
        "keep compiled graphs in the user's cache folder, so that the next start is sooner; auto: what the variable MINDZOO_COMPILE_CACHE says, else on where it was tried: a CPU, one rank, MindSpore 2.10",
        choices=("auto", "on", "off"),
    )


@dataclass(frozen=True)
class RanksKeys(CompileKeys):
    """Ranks"""

    is_distributed: bool = key(
        False, "join the ranks of the launcher that started this process; without one it runs alone"
    )
    rank: int = key(
        0,
        "rank of this process; with is_distributed the launcher's counts",
        minimum=0,
        only_with=("is_distributed", (False,)),
    )
    group_size: int = key(
        1,
        "number of ranks; with is_distributed the launcher's counts",
        minimum=1,
        only_with=("is_distributed", (False,)),
    )


@dataclass(frozen=True)
class StorageKeys:
    """Places of a cloud job: paths, or buckets (obs://, s3://), for the key beside each where that one is not given"""

    modelarts: bool = key(False, "this is a job of ModelArts: buckets are copied with its moxing")
    data_url: str = key("", "stands in for data_dir; a bucket is copied to this server first")
    eval_data_url: str = key("", "stands in for eval_data_dir; a bucket is copied to this server first")
    checkpoint_url: str = key("", "stands in for the checkpoint; a bucket is copied to this server first")
    train_url: str = key(
        "",
        "stands in for output_dir; a bucket gets the results at every checkpoint and at the end, and so does a folder that output_dir is given beside",
    )
