"""What can be compared, by name: `train:densenet121`, `data` and so on."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mindzoo.scripts.dev.bench import peers
from mindzoo.scripts.dev.bench.arms import IMAGES, MEGABYTES, SECONDS, Arm, Fresh, Program, Served, Worker
from mindzoo.scripts.dev.bench.workspace import ROOT, WORKERS, Workspace

OWN = "mindzoo"
OWN_PACKAGES = ("mindspore", "numpy", "pillow")
TIMM, CHANNELS_LAST = "timm", "PyTorch channels-last on all cores"
BATCH = {"densenet121": 8, "hrnet_w48": 4, "multigrain": 9, "genet_res50": 8, "glore_res50": 8}
DATA_BATCH = 64
UNCAPPED_BATCH = 2  # MindSpore is very slow there
# What is nearest to each network; the last two have no equal.
TIMM_MODEL = {"densenet121": "densenet121", "hrnet_w48": "hrnet_w48", "multigrain": "resnet50"}
MINDCV_MODEL = {"densenet121": "densenet121", "hrnet_w48": "hrnet_w48", "multigrain": "resnet50"}
# Momentum at all, and losses of one kind.
MOMENTUM = ("--optimizer", "momentum")
FLAGS = {"multigrain": (*MOMENTUM, "--classification_weight", "1", "--repeats", "1"), "hrnet_w48": MOMENTUM}
CAPPED = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
A = TypeVar("A", bound=Arm)
W = TypeVar("W", bound=Worker)


@dataclass(frozen=True)
class Comparison:
    """Arms that do the same work, in the order in which they take turns.

    Args:
        base: the arm whose numbers are divided by those of the others.
    """

    name: str
    title: str
    units: tuple[str, ...]
    arms: tuple[Arm, ...]
    base: str = OWN


@dataclass(frozen=True)
class Wanted:
    """What a comparison is made for.

    Args:
        variants: environment variables, each of which makes a further arm of ours.
    """

    workspace: Workspace
    peers: bool
    variants: Sequence[tuple[str, str]]

    def own(self, arm: A) -> list[A]:
        """Our arm, and the same once for each variant."""
        return [
            arm,
            *(
                dataclasses.replace(
                    arm,
                    name=f"{arm.name}, {name}={value}",
                    does=f"the same with {name}={value}",
                    environment={**arm.environment, name: value},
                )
                for name, value in self.variants
            ),
        ]


def train(wanted: Wanted, network: str) -> Comparison:
    """A training step on a batch in memory."""
    arms: list[Arm] = [*wanted.own(_own_steps(Served, wanted, network))]
    if network not in TIMM_MODEL:
        own, off = arms[0], ("MINDZOO_NATIVE", "off")
        if off not in wanted.variants:
            arms += dataclasses.replace(wanted, variants=[off]).own(own)[1:]
    elif wanted.peers:
        arms += [_torch_steps(Served, wanted, network), _mindcv_steps(wanted, network, CAPPED)]
    return Comparison(
        f"train:{network}", f"Training step of `{network}`, batch {BATCH[network]}", (IMAGES,), tuple(arms)
    )


def uncapped(wanted: Wanted, network: str) -> Comparison:
    """A training step, against MindSpore as it is: its oneDNN is slow on CPUs with AVX-512."""
    workers: list[Worker] = [*wanted.own(_own_steps(Served, wanted, network))]
    if wanted.peers:
        workers += [_mindcv_steps(wanted, network, {})]
    arms = (dataclasses.replace(one, settings={**one.settings, "batch": UNCAPPED_BATCH}) for one in workers)
    title = f"Training step of `{network}` and MindSpore without ONEDNN_MAX_CPU_ISA, batch {UNCAPPED_BATCH}"
    return Comparison(f"uncapped:{network}", title, (IMAGES,), tuple(arms))


def memory(wanted: Wanted, network: str) -> Comparison:
    """The most memory that a training holds, started anew for each round."""
    own = _own_steps(Fresh, wanted, network)
    compiled = {**own.environment, "MINDZOO_COMPILE_CACHE": "off"}
    does = "the same where the graph is compiled, as at the first start"
    arms: list[Arm] = [
        *wanted.own(own),
        dataclasses.replace(own, name=f"{OWN}, compiled", does=does, environment=compiled),
    ]
    if wanted.peers:
        arms += [_torch_steps(Fresh, wanted, network)]
    title = f"Peak resident memory of training steps of `{network}`, batch {BATCH[network]}"
    return Comparison(f"memory:{network}", title, (MEGABYTES,), tuple(arms))


def first_step(wanted: Wanted, network: str) -> Comparison:
    """Seconds of a training that ends after its first step."""
    settings = _training_settings(wanted, network)
    words = ["--data_dir", settings["photos"], "--output_dir", settings["output"], "--batch_size", BATCH[network]]
    words += ["--image_size", settings["size"], "--max_steps", 1, *settings["flags"], *_plain_images(network)]
    does = "`mindzoo train` on JPEG files with `--max_steps 1`, the whole command with its checkpoint"
    own = Program(
        f"{OWN}, first time", f"{does}; with empty caches", sys.executable, OWN_PACKAGES,
        own_cache=True, words=_command("train", network, *words),
    )  # fmt: skip
    again = dataclasses.replace(own, name=f"{OWN}, again", does="the same, with the caches that the first one left")
    arms: list[Arm] = [*wanted.own(own), *wanted.own(again)]
    if wanted.peers:
        script = "a script that does the same with a DataLoader, torchvision's transforms and its network"
        told = [str(WORKERS / "torch_one_step.py"), json.dumps({**settings, "output": _torch_output(wanted)})]
        arms.append(Program(TIMM, script, peers.TORCH.python(), peers.TORCH.packages, words=told))
    title = f"A training of `{network}` that ends after its first step, batch {BATCH[network]}"
    return Comparison(f"first_step:{network}", title, (SECONDS,), tuple(arms), base=again.name)


def forward(wanted: Wanted, network: str) -> Comparison:
    """The network on a batch in memory."""
    batch = BATCH[network]
    settings = wanted.workspace.settings(network=network, model=TIMM_MODEL[network], batch=batch)
    does = "the network of `create_model` on one batch in memory, computed by MindSpore"
    own = Served(OWN, does, sys.executable, OWN_PACKAGES, worker=WORKERS / "own_forward.py", settings=settings)
    arms: list[Arm] = [*wanted.own(own)]
    if wanted.peers:
        arms += [
            _peer(
                Served, "ONNX Runtime", "the file of `mindzoo export`", peers.ONNX_RUNTIME, "onnx_forward.py",
                wanted.workspace.settings(batch=batch, file=str(wanted.workspace.onnx(network, batch))),
            ),
            _peer(Served, TIMM, f"its network in {CHANNELS_LAST}", peers.TORCH, "torch_forward.py", settings),
        ]  # fmt: skip
    return Comparison(f"forward:{network}", f"`{network}` on a batch of {batch} in memory", (IMAGES,), tuple(arms))


def evaluate(wanted: Wanted, network: str) -> Comparison:
    """`mindzoo eval`."""
    return _folder(wanted, network, "evaluate", "eval", "--eval_data_dir", ("--output_dir", "evaluations"))


def embed(wanted: Wanted, network: str) -> Comparison:
    """`mindzoo embed`."""
    return _folder(wanted, network, "embed", "embed", "--images", ("--output", "vectors.npy", "--overwrite", "true"))


def predict(wanted: Wanted, network: str) -> Comparison:
    """`mindzoo predict`."""
    return _folder(wanted, network, "predict", "predict", "", ("--output", "classes.json"))


def first_answer(wanted: Wanted, network: str) -> Comparison:
    """Seconds of `mindzoo predict` for a single image."""
    workspace = wanted.workspace
    image = next(workspace.photos(1).rglob("*.jpg"))

    def own(name: str, does: str, seed: int) -> list[Program]:
        words = _command("predict", network, "--checkpoint", workspace.checkpoint(network, seed), image)
        program = Program(f"{OWN}, {name}", does, sys.executable, OWN_PACKAGES, own_cache=True, words=words)
        return wanted.own(program)

    arms: list[Arm] = [
        *own("first time", "`mindzoo predict` for one image, with empty caches", 1),
        *own("again", "the same command with the caches that the first one left", 1),
        *own("other checkpoint", "the same with another checkpoint of the network, and the same caches", 2),
    ]
    if wanted.peers:
        arms.append(_torch_folder(wanted, network, "predict", image.parents[1], 1))
    title = f"First answer of `predict` with `{network}`, the whole command"
    return Comparison(f"first_answer:{network}", title, (SECONDS,), tuple(arms), base=f"{OWN}, again")


def listing(wanted: Wanted, _: str) -> Comparison:
    """`mindzoo list`."""
    own = Program(OWN, "`mindzoo list`", sys.executable, OWN_PACKAGES, words=[str(ROOT), "list"])
    arms: list[Arm] = [
        *wanted.own(own),
        Program("Python", "`python -c pass`", sys.executable, (), words=["-c", "pass"]),
    ]
    if wanted.peers:
        words = [str(WORKERS / "torch_list.py")]
        arms.append(Program(TIMM, "`timm.list_models()`", peers.TORCH.python(), peers.TORCH.packages, words=words))
    return Comparison("list", "The list of the networks, the whole command", (SECONDS,), tuple(arms))


def data(wanted: Wanted, _: str) -> Comparison:
    """Batches of a training that nobody takes."""
    photos = wanted.workspace.photos(wanted.workspace.scale.images)
    batch = min(DATA_BATCH, wanted.workspace.scale.images)
    settings = wanted.workspace.settings(photos=str(photos), batch=batch)
    does = "reads JPEG files, takes a random part of each, flips it at random and normalises it, by a thread per core"
    own = Served(OWN, does, sys.executable, OWN_PACKAGES, worker=WORKERS / "own_data.py", settings=settings)
    arms: list[Arm] = [*wanted.own(own)]
    if wanted.peers:
        loader = "the same by its transforms and PyTorch's DataLoader, with a process per core"
        bare = "only reads and decodes the same files, each as a whole, with a process per core: a yardstick"
        arms += [
            _peer(Served, "torchvision", loader, peers.TORCH, "torch_data.py", settings),
            _peer(Served, "simplejpeg", bare, peers.SIMPLEJPEG, "simplejpeg_data.py", settings),
        ]
    return Comparison("data", f"Data pipeline of a training, batch {batch}", (IMAGES,), tuple(arms))


def epoch(wanted: Wanted, network: str) -> Comparison:
    """Whole epochs on files."""
    settings = _training_settings(wanted, network)
    settings["flags"] = [*settings["flags"], *_plain_images(network)]
    does = "the loop of a training on JPEG files, from the first batch asked for to the checkpoint on the disk"
    own = Served(OWN, does, sys.executable, OWN_PACKAGES, worker=WORKERS / "own_epoch.py", settings=settings)
    arms: list[Arm] = [*wanted.own(own)]
    if wanted.peers:
        plain = f"the same with a DataLoader, torchvision's transforms and the network in {CHANNELS_LAST}"
        told = {**settings, "output": _torch_output(wanted)}
        arms.append(_peer(Served, TIMM, plain, peers.TORCH, "torch_epoch.py", told))
    title = f"Epochs of a training of `{network}` on JPEG files, batch {BATCH[network]}"
    return Comparison(f"epoch:{network}", title, (IMAGES,), tuple(arms))


BOTH = ("densenet121", "hrnet_w48")
KINDS: Mapping[str, tuple[Callable[[Wanted, str], Comparison], Sequence[str]]] = {
    "train": (train, tuple(BATCH)),
    "uncapped": (uncapped, ("densenet121",)),
    "forward": (forward, BOTH),
    "evaluate": (evaluate, BOTH),
    "embed": (embed, BOTH),
    "predict": (predict, BOTH),
    "first_answer": (first_answer, BOTH),
    "first_step": (first_step, BOTH),
    "memory": (memory, BOTH),
    "epoch": (epoch, ("densenet121",)),
    "list": (listing, ()),
    "data": (data, ()),
}
NAMES = tuple(
    name for kind, (_, networks) in KINDS.items() for name in ([f"{kind}:{network}" for network in networks] or [kind])
)


def make(name: str, wanted: Wanted) -> Comparison:
    """The comparison of a name in NAMES; makes the files and environments that it needs."""
    kind, _, network = name.partition(":")
    return KINDS[kind][0](wanted, network)


def _own_steps(kind: type[W], wanted: Wanted, network: str) -> W:
    does = "the step that `mindzoo train` compiles, on one batch in memory"
    if network == "multigrain":
        does += "; its ResNet-50 with cross entropy alone"
    return kind(
        OWN, does, sys.executable, OWN_PACKAGES,
        worker=WORKERS / "own_steps.py", settings=_training_settings(wanted, network),
    )  # fmt: skip


def _torch_steps(kind: type[W], wanted: Wanted, network: str) -> W:
    model = TIMM_MODEL[network]
    does = f"a step of its {model} with SGD and momentum, in {CHANNELS_LAST}, on one batch in memory"
    settings = wanted.workspace.settings(model=model, batch=BATCH[network])
    return _peer(kind, TIMM, does, peers.TORCH, "torch_steps.py", settings)


def _mindcv_steps(wanted: Wanted, network: str, environment: Mapping[str, str]) -> Served:
    model = MINDCV_MODEL[network]
    limits = " with ".join(["", *(f"{name}={value}" for name, value in environment.items())])
    does = f"a step of its {model} with momentum, compiled by MindSpore{limits}, on one batch in memory"
    settings = wanted.workspace.settings(model=model, batch=BATCH[network])
    arm = _peer(Served, "mindcv", does, peers.MINDCV, "mindcv_steps.py", settings)
    return dataclasses.replace(arm, environment={"GLOG_v": "3", **environment})


def _training_settings(wanted: Wanted, network: str) -> dict[str, Any]:
    workspace, batch = wanted.workspace, BATCH[network]
    return workspace.settings(
        network=network,
        model=TIMM_MODEL.get(network, ""),
        batch=batch,
        images=workspace.scale.images,
        photos=str(workspace.photos(workspace.scale.images)),
        output=str(workspace.output("trainings")),
        flags=["--num_classes", "1000", *FLAGS.get(network, ())],
    )


def _torch_output(wanted: Wanted) -> str:
    return str(wanted.workspace.output("trainings-torch"))


def _plain_images(network: str) -> Sequence[str]:
    """Flags for crops and flips alone."""
    return ("--color_jitter", "") if network == "densenet121" else ()


def _folder(wanted: Wanted, network: str, task: str, command: str, key: str, more: Sequence[str]) -> Comparison:
    """A command of ours for a folder of images, against a script that does the same with timm."""
    workspace, batch, images = wanted.workspace, BATCH[network], wanted.workspace.scale.images
    common = ["--checkpoint", workspace.checkpoint(network), *more]
    if command != "predict":
        common += ["--batch_size", batch]

    def words(count: int) -> list[str]:
        return _command(command, network, *([key] if key else []), workspace.photos(count), *common)

    does = f"`mindzoo {command}` for the images of a folder"
    own = Program(
        OWN, does, sys.executable, OWN_PACKAGES,
        words=words(images), images=images, fewer=words(batch), fewer_images=batch,
    )  # fmt: skip
    arms: list[Arm] = [*wanted.own(own)]
    if wanted.peers:
        script = _torch_folder(wanted, network, task, workspace.photos(images), images)
        fewer = _torch_folder(wanted, network, task, workspace.photos(batch), batch)
        arms.append(dataclasses.replace(script, fewer=fewer.words, fewer_images=batch))
    title = f"`{command}` of {images} JPEG files with `{network}`"
    return Comparison(f"{task}:{network}", title, (IMAGES, SECONDS), tuple(arms))


def _torch_folder(wanted: Wanted, network: str, task: str, folder: os.PathLike[str], images: int) -> Program:
    model = TIMM_MODEL[network]
    settings = wanted.workspace.settings(
        task=task, model=model, batch=BATCH[network], folder=str(folder),
        checkpoint=str(wanted.workspace.torch_checkpoint(model)), output="vectors-torch.npy",
    )  # fmt: skip
    does = f"a script with a DataLoader, in batches of {BATCH[network]}, and its {model} in {CHANNELS_LAST}"
    words = [str(WORKERS / "torch_folder.py"), json.dumps(settings)]
    return Program(TIMM, does, peers.TORCH.python(), peers.TORCH.packages, words=words, images=images)


def _peer(kind: type[W], name: str, does: str, peer: peers.Peer, worker: str, settings: Mapping[str, Any]) -> W:
    return kind(name, does, peer.python(), peer.packages, worker=WORKERS / worker, settings=settings)


def _command(command: str, network: str, *words: object) -> list[str]:
    """A command of ours on the CPU, behind the interpreter."""
    return [str(ROOT), command, network, *map(str, words), "--device_target", "CPU"]
