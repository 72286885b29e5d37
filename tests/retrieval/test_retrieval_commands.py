"""The commands of retrieval in `mindzoo`, for every network, and the exponent of a pooling as a key."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops

from mindzoo.models import SPECS, create_model, densenet121
from mindzoo.tests.support.retrieval_files import HOW, run
from mindzoo.tests.support.trainings import tiny
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.commands.of_retrieval import EMBED, QUERY
from mindzoo.utils.config import reading
from mindzoo.utils.config.keys import EvalConfig
from mindzoo.utils.config.reading import key
from mindzoo.utils.data.transforms import Preprocessing, load_image
from mindzoo.utils.retrieval.keys import EmbedConfig, with_options
from mindzoo.utils.retrieval.vectors import open_vectors


@pytest.mark.parametrize(
    "command", ["embed", "query", "fit-exponent", "whiten", "index", "index-add", "index-remove", "evaluate-retrieval"]
)
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    assert f"\n  {command} " in capsys.readouterr().out
    network = ["densenet121"] if command in ("embed", "query", "fit-exponent") else []
    with pytest.raises(SystemExit) as ended:
        run(command, *network, "--help")
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: mindzoo {command}")
    assert ("--index" if command.startswith("index-") else "--output") in out


@pytest.mark.parametrize("network", sorted(SPECS))
def test_embedding_has_the_options_of_the_network_as_keys(network: str) -> None:
    spec = SPECS[network]
    made = with_options(EmbedConfig, spec, spec.options)
    names = {field.name for field in dataclasses.fields(made)}
    assert set(spec.options) <= names
    assert {field.name for field in dataclasses.fields(EmbedConfig)} <= names
    assert issubclass(made, EmbedConfig)
    made()  # the defaults are fit for use


@pytest.mark.parametrize("network", sorted(SPECS))
@pytest.mark.parametrize("command", ["embed", "query", "fit-exponent"])
def test_every_network_has_the_commands(network: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(command, network, "--help")
    assert ended.value.code == 0
    assert f"usage: mindzoo {command} {network}" in capsys.readouterr().out


@pytest.mark.parametrize("network", sorted(SPECS))
def test_every_network_embeds(network: str, colors: Path, tmp_path: Path) -> None:
    spec = SPECS[network]
    settings = reading.read_config(spec.eval_config, tiny(network)).config
    options, how = spec.network_options(settings), Preprocessing.from_config(settings)
    meta = {"network": network, "options": options, "num_classes": 3, "preprocessing": how.to_dict()}
    checkpoint_file.save_checkpoint(tmp_path / "tiny.ckpt", spec.make(3, options).parameters_dict(), meta)
    images = colors / "val" / "red"
    words = ["--checkpoint", tmp_path / "tiny.ckpt", "--images", images, "--output", tmp_path / "v.npy"]
    assert run("embed", network, *words, "--batch_size", 2, "--device_target", "CPU") == 0
    batch = np.stack([load_image(path, how) for path in sorted(images.glob("*.png"))])
    vectors = create_model(network, checkpoint=tmp_path / "tiny.ckpt").embed(Tensor(batch)).asnumpy()
    np.testing.assert_allclose(open_vectors(tmp_path / "v.npy").array, vectors, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["embed"], "which network? wanted mindzoo embed NETWORK"),
        (["query", "densnet121"], "unknown network densnet121 (did you mean densenet121?)"),
        (["whitenn"], "unknown command whitenn (did you mean whiten?)"),
        (["index", "--knd", "flat"], "unknown flag --knd (did you mean --kind?)"),
        (["evaluate-retrieval"], "0 files of vectors are given"),
    ],
)
def test_wrong_words(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


class PowerMean(nn.Cell):
    """(B, C, H, W) -> (B, C): the generalised mean with the exponent `p`."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = Parameter(Tensor(p, ms.float32), name="p", requires_grad=False)

    def construct(self, x: Tensor) -> Tensor:
        return ops.pow(ops.pow(x, self.p).mean((2, 3)), 1 / self.p)


class PooledColors(nn.Cell):
    """The generalised mean of each channel, and a classifier of two classes."""

    def __init__(self, num_classes: int, gem_p: float = 3.0) -> None:
        super().__init__()
        self.pool = PowerMean(gem_p)
        self.head = nn.Dense(3, num_classes)

    def embed(self, x: Tensor) -> Tensor:
        return self.pool(ops.abs(x))

    def construct(self, x: Tensor) -> Tensor:
        return self.head(self.embed(x))


@dataclass(frozen=True)
class PooledEvalConfig(EvalConfig):
    """Evaluation"""

    gem_p: float = key(3.0, "exponent of the pooling", minimum=0.01)


POOLED = dataclasses.replace(
    densenet121.SPEC,
    name="pooled",
    build=PooledColors,
    options=("gem_p",),
    parameter_options={"gem_p": "pool.p"},
    eval_config=PooledEvalConfig,
    classifier="head",
    options_of=lambda weights: {},
)


def test_the_exponent_of_the_pooling_goes_with_the_size(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The weights hold the exponent 2, which they learnt; one that is given wins, and is part of the facts."""
    network = PooledColors(2, 2.0)
    meta = {"network": "pooled", "options": {"gem_p": 3.0}, "num_classes": 2, "preprocessing": HOW.to_dict()}
    checkpoint_file.save_checkpoint(tmp_path / "pooled.ckpt", network.parameters_dict(), meta)
    common = ["--checkpoint", tmp_path / "pooled.ckpt", "--device_target", "CPU"]
    images = ["--images", colors / "val", "--batch_size", 4]

    def embed(name: str, *words: object) -> np.ndarray:
        flags = [*common, *images, "--output", tmp_path / name, *words]
        assert commands.run_command(EMBED, POOLED, [str(flag) for flag in flags]) == 0
        return open_vectors(tmp_path / name).array

    learnt, same, other = embed("a.npy"), embed("b.npy", "--gem_p", 2), embed("c.npy", "--gem_p", 5)
    np.testing.assert_array_equal(learnt, same)
    assert (other > learnt * 1.0001).all()  # a higher exponent comes closer to the maximum
    found = [open_vectors(tmp_path / name).facts["options"]["gem_p"] for name in ("a.npy", "b.npy", "c.npy")]
    assert found == [2, 2, 5]
    assert run("index", tmp_path / "c.npy", "--output", tmp_path / "i") == 0
    words = [*common, "--index", tmp_path / "i", "--top_k", 1, str(next(colors.glob("val/red/*.png")))]
    capsys.readouterr()
    assert commands.run_command(QUERY, POOLED, [str(word) for word in words]) == 0
    assert "    1   1.0000  red/" in capsys.readouterr().out
    assert commands.run_command(QUERY, POOLED, [str(word) for word in [*words, "--gem_p", 5, "--image_size", 32]]) == 0
    assert commands.run_command(QUERY, POOLED, [str(word) for word in [*words, "--gem_p", 4]]) == 2
    assert f"gem_p is 4, and the vectors of {tmp_path / 'i'} are of 5; leave it out" in capsys.readouterr().err
