"""`mindzoo finetune`: what it finds out of images and weights, the recipe that it writes, and runs that go on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from mindzoo import cli
from mindzoo.models import get_spec
from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.trainings import Trained, write_images
from mindzoo.utils import log
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.commands import TRAIN, read_command
from mindzoo.utils.config import reading
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.errors import UserError
from mindzoo.utils.finetuning import facts, finetune, recipe_text
from mindzoo.utils.records import RECIPE


def written(data: Path, *flags: str) -> dict[str, Any]:
    """The recipe that is written for these flags."""
    words = ["finetune", "densenet121", "--data_dir", str(data), "--write_recipe", "mine.yaml", *flags]
    assert cli.main(words) == 0
    return dict(yaml.safe_load(Path("mine.yaml").read_text(encoding="utf-8")))


def test_the_recipe_is_that_of_a_training(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    """It has what was chosen and what was given, and is read back as such; nothing is trained."""
    flags = ["--pretrained", str(trained.checkpoint), "--lr", "0.5", "--per_batch_size", "4", "--resume", "auto"]
    found = written(trained.data / "train", *flags)
    assert (found["lr"], found["batch_size"], found["val_split"]) == (0.5, 4, 0.2)
    assert found["image_size"] == [64, 64]
    assert found["crop_pct"] == 1.0, "as the weights were evaluated"
    assert not {"replace_head", "freeze", "resume", "write_recipe"} & set(found)
    lines = Path("mine.yaml").read_text(encoding="utf-8").splitlines()
    assert [line.split(":")[0] for line in lines[1:6]] == ["# data", "# start", "# size", "# length", "# rate"]
    out = capsys.readouterr().out
    assert all(line.removeprefix("# ") in out for line in lines[1:6])
    loaded = read_command(TRAIN, SPEC, ["--config_path", "mine.yaml"], "train")
    assert {name: getattr(loaded.config, name) for name in found} == {
        name: tuple(value) if isinstance(value, list) else value for name, value in found.items()
    }
    assert not Path("output").exists()


@pytest.mark.parametrize(
    ("flags", "unused", "rate"),
    [
        ([], set(), "0.00087 for 12 images an update and random weights, warm-up"),
        (
            ["--optimizer", "thor"],
            {"lr", "lr_init", "lr_decay_mode", "warmup_epochs"},
            "the one that the network has for thor",
        ),
        (["--schedule", "one_cycle"], {"lr_decay_mode", "lr_init", "warmup_epochs"}, "0.00087 for 12 images an update"),
    ],
)
def test_what_has_no_effect_is_not_chosen(
    colors: Path, flags: list[str], unused: set[str], rate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """MultiGrain's own optimizer is thor, and finetune's another, also where a key goes by it."""
    words = ["finetune", "multigrain", "--data_dir", str(colors), "--write_recipe", "mine.yaml", *flags]
    assert cli.main(words) == 0
    found = yaml.safe_load(Path("mine.yaml").read_text(encoding="utf-8"))
    chosen = {"lr", "lr_init", "lr_decay_mode", "warmup_epochs"} & set(found)
    assert chosen == {"lr", "lr_init", "lr_decay_mode", "warmup_epochs"} - unused
    out = capsys.readouterr().out
    assert f"rate: {rate}" in out
    assert "has no effect" not in out
    reading.read_yaml(get_spec("multigrain").train_config, Path("mine.yaml"), {})


def test_what_is_odd_in_the_data_is_left_to_the_training_to_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data" / "a").mkdir(parents=True)
    for name in ("1.png", "notes.txt"):
        (tmp_path / "data" / "a" / name).touch()
    log.start()
    assert len(facts.images_of(TrainConfig(data_dir=str(tmp_path / "data")))) == 1
    log.logger.info("then")
    log.stop()
    assert capsys.readouterr().out == "then\n"


def test_a_root_with_val_holds_nothing_out(trained: Trained) -> None:
    assert "val_split" not in written(trained.data)


@pytest.mark.parametrize(
    ("classes", "replaced"), [(("blue", "green", "red"), False), (("a", "b", "c"), True), (("red", "sky"), True)]
)
def test_the_classifier_is_new_for_other_classes(
    trained: Trained, tmp_path: Path, classes: tuple[str, ...], replaced: bool
) -> None:
    for name in classes:
        write_images(tmp_path / "data" / name, (9, 9, 9), 4)
    config = TrainConfig(data_dir=str(tmp_path / "data"), pretrained=str(trained.checkpoint))
    images, weights = facts.images_of(config), facts.weights_of(SPEC, config)
    found = facts.gather(SPEC, config, images, weights, "CPU")
    assert (found.same_classes, found.weights_classes) == (not replaced, 3)
    assert (found.images, found.classes, found.side, found.has_validation) == (
        4 * len(classes),
        len(classes),
        40,
        False,
    )
    assert 0.1 < found.memory_gb < 1e6
    assert found.stages == (
        *SPEC.finetuning.stages[:1],
        ("backbone.features.transition1.*", "backbone.features.denseblock2.*"),
    )


def test_weights_that_say_nothing_are_prepared_for_as_their_origin_does(trained: Trained) -> None:
    weights = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC)
    weights.meta.clear()
    assert facts.prepared_as(SPEC, weights) == {}


def test_pictures_that_cannot_be_read_have_no_size(tmp_path: Path) -> None:
    for number, size in enumerate((20, 60, 100)):
        write_images(tmp_path / "data" / "a", (9, 9, 9), number + 1, size=size)
    (tmp_path / "data" / "a" / "zz.png").write_bytes(b"none")
    assert facts.side_of(facts.images_of(TrainConfig(data_dir=str(tmp_path / "data")))) == 100


def test_a_run_goes_on_by_the_recipe_that_it_began_with(trained: Trained, tmp_path: Path) -> None:
    """Whatever the machine is now; what is given wins. A run that finetune did not begin is refused."""
    shutil.copytree(trained.folder, tmp_path / "out" / "run")
    config = TrainConfig(output_dir=str(tmp_path / "out"), resume="auto")
    with pytest.raises(UserError, match=r"and there is no finetune.yaml beside it, so finetune did not begin that run"):
        finetune.recipe_of_the_run(SPEC, config)
    text = recipe_text.text(
        "densenet121", {"batch_size": 5, "lr": 0.25, "config_path": "x", "freeze": ("a.*",)}, ["\n<b>"]
    )
    assert text.splitlines()[1:] == [r"# \n<b>", "batch_size: 5", "lr: 0.25", "freeze:", "- a.*"]
    (tmp_path / "out" / "run" / RECIPE).write_text(text)
    assert finetune.recipe_of_the_run(SPEC, config) == tmp_path / "out" / "run" / RECIPE
    found = written(trained.data, "--resume", "auto", "--output_dir", str(tmp_path / "out"))
    assert found == {"batch_size": 5, "lr": 0.25, "freeze": ["a.*"]}
    assert finetune.recipe_of_the_run(SPEC, TrainConfig(output_dir=str(tmp_path / "none"), resume="auto")) is None


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "data_dir is not given"),
        (["--data_dir", "none"], "data_dir is none, which is missing"),
        (["--data_dir", "DATA", "--pretrained", "none.ckpt"], "none.ckpt"),
        (["--data_dir", "DATA", "--write_recipe", "x.txt"], "write_recipe is x.txt; wanted a name that ends in .yaml"),
        (["--data_dir", "DATA", "--write_recipes", "x.yaml"], "did you mean --write_recipe?"),
    ],
)
def test_what_is_refused(colors: Path, flags: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(colors) if word == "DATA" else word for word in flags]
    assert cli.main(["finetune", "densenet121", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_several_processes_do_not_choose(
    colors: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MS_ROLE", "MS_WORKER")
    assert cli.main(["finetune", "densenet121", "--data_dir", str(colors)]) == 2
    assert "write a recipe with --write_recipe FILE first" in capsys.readouterr().err
