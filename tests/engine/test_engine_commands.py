"""Commands by ONNX Runtime: they give what they give by MindSpore, and say what computes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from mindzoo.models import SPECS, create_model
from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.trainings import Trained, write_images
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.commands.of_networks import PREDICT
from mindzoo.utils.commands.of_retrieval import EMBED, INDEX, QUERY
from mindzoo.utils.data.listing import images_below
from mindzoo.utils.engine import choice, network_graph
from mindzoo.utils.engine.difference import relative_difference
from mindzoo.utils.engine.network_graph import NetworkGraph
from mindzoo.utils.retrieval.vectors import open_vectors
from mindzoo.utils.retrieval.writer import VectorWriter

pytest.importorskip("onnxruntime")

BY_ONNX = ["--engine", "onnxruntime"]
MAKING = "making the graph for ONNX Runtime"


def run(command: commands.Command, *words: object, network: str = "densenet121") -> int:
    return commands.run_command(command, SPECS[network], [*map(str, words), "--device_target", "CPU"])


def evaluated(trained: Trained, output: Path, *words: str) -> dict[str, Any]:
    common = [
        "--checkpoint",
        trained.checkpoint,
        "--data_dir",
        trained.data,
        "--is_distributed",
        "0",
        "--batch_size",
        "5",
    ]
    assert run(commands.EVAL, *common, "--output_dir", output, *words) == 0
    (metrics,) = output.glob("*/metrics.jsonl")
    row: dict[str, Any] = json.loads(metrics.read_text().splitlines()[-1])
    return row


def test_an_evaluation_counts_the_same(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_onnx = evaluated(trained, tmp_path / "onnx", *BY_ONNX, "--verify", "1")
    printed = capsys.readouterr().out
    by_mindspore = evaluated(trained, tmp_path / "mindspore")
    for name in ("top1", "top5", "total", "accuracy"):
        assert by_onnx[name] == by_mindspore[name]
    assert by_onnx["loss"] == pytest.approx(by_mindspore["loss"], rel=1e-4)
    assert by_onnx["engine"].startswith("onnxruntime 1.")
    assert by_mindspore["engine"] == "mindspore"
    assert "computing by ONNX Runtime 1." in printed
    assert "largest difference between ONNX Runtime and MindSpore: " in printed
    assert float(printed.split("ONNX Runtime and MindSpore: ")[1].split()[0]) < 1e-4


def test_a_folder_of_checkpoints_takes_one_graph(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ["--checkpoint", trained.folder, "--data_dir", trained.data, "--is_distributed", "0"]
    found = []
    for engine in ("onnxruntime", "mindspore"):
        assert run(commands.EVAL, *words, "--output_dir", tmp_path / engine, "--engine", engine) == 0
        (metrics,) = (tmp_path / engine).glob("*/metrics.jsonl")
        rows = [json.loads(line) for line in metrics.read_text().splitlines()]
        found.append([(row["checkpoint"], row["top1"], row["total"]) for row in rows])
    assert found[0] == found[1]
    assert len(found[0]) > 2
    assert capsys.readouterr().out.count(MAKING) == 1


def test_a_folder_whose_networks_have_no_graph_is_evaluated_by_mindspore(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(network_graph, "MAKER", "raise SystemExit('no exporter here')")
    words = ["--checkpoint", trained.folder, "--data_dir", trained.data, "--is_distributed", "0"]
    found = []
    for engine in ("auto", "mindspore"):
        monkeypatch.setenv(choice.VARIABLE, engine)
        assert run(commands.EVAL, *words, "--output_dir", tmp_path / engine) == 0
        (metrics,) = (tmp_path / engine).glob("*/metrics.jsonl")
        rows = [json.loads(line) for line in metrics.read_text().splitlines()]
        found.append([(row["checkpoint"], row["top1"], row["loss"]) for row in rows])
    assert found[0] == found[1]


def predicted(source: Path, tmp_path: Path, *words: str, network: str = "densenet121") -> list[dict[str, Any]]:
    target = tmp_path / "rows.json"
    assert run(PREDICT, "--checkpoint", source, *words, "--output", target, network=network) == 0
    rows: list[dict[str, Any]] = json.loads(target.read_text(encoding="utf-8"))
    return rows


def same_rows(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    assert [row["image"] for row in found] == [row["image"] for row in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert [each["name"] for each in one["classes"]] == [each["name"] for each in other["classes"]]
        for left, right in zip(one["classes"], other["classes"], strict=True):
            assert left["probability"] == pytest.approx(right["probability"], abs=1e-5)


def test_predictions_are_the_same_for_every_checkpoint(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(trained.data / "val")
    for source in (trained.checkpoint, trained.folder / "best.ckpt"):
        for which in ("averaged", "raw"):
            by_onnx = predicted(source, tmp_path, folder, "--weights", which, *BY_ONNX)
            same_rows(by_onnx, predicted(source, tmp_path, folder, "--weights", which))
    assert capsys.readouterr().out.count(MAKING) <= 1


def test_embeddings_and_answers_are_the_same(trained: Trained, tmp_path: Path) -> None:
    found = []
    for engine in ("onnxruntime", "mindspore"):
        target = tmp_path / f"{engine}.npy"
        words = ["--checkpoint", trained.checkpoint, "--images", trained.data, "--output", target, "--batch_size", "7"]
        assert run(EMBED, *words, "--engine", engine) == 0
        found.append(open_vectors(target))
        assert found[-1].facts["engine"].startswith(engine)
    assert relative_difference(found[0].array, found[1].array) < 1e-5
    assert (
        commands.run_command(INDEX, None, [str(tmp_path / "mindspore.npy"), "--output", str(tmp_path / "index")]) == 0
    )
    answers = []
    for engine in ("onnxruntime", "mindspore"):
        words = [
            "--index",
            tmp_path / "index",
            "--checkpoint",
            trained.checkpoint,
            "--output",
            tmp_path / "answers.json",
        ]
        assert run(QUERY, *words, trained.data / "val" / "red", "--engine", engine, "--verify", "1") == 0
        rows = json.loads((tmp_path / "answers.json").read_text())
        answers.append([[result["path"] for result in row["results"]] for row in rows])
    assert answers[0] == answers[1]


def test_a_run_of_the_other_engine_is_not_continued(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--checkpoint", trained.checkpoint, "--images", trained.data, "--output", tmp_path / "v.npy"]
    words += ["--batch_size", "7"]
    assert run(EMBED, *words, *BY_ONNX) == 0
    facts = open_vectors(tmp_path / "v.npy").facts
    facts = {name: value for name, value in facts.items() if name not in ("count", "dimension", "unreadable")}
    begun = VectorWriter(tmp_path / "w.npy", facts, images_below(trained.data), overwrite=False)
    begun.save()
    begun.close()
    words[5] = tmp_path / "w.npy"
    assert run(EMBED, *words) == 2
    assert "engine onnxruntime 1." in capsys.readouterr().err


def test_an_exponent_that_is_given_wins(tmp_path: Path) -> None:
    spec = SPECS["multigrain"]
    network = create_model("multigrain", 4, **{key: spec.small[key] for key in spec.small.keys() & set(spec.options)})
    ms.save_checkpoint(network, str(tmp_path / "plain.ckpt"))
    write_images(tmp_path / "images", (200, 30, 90), 2)
    found = {}
    for engine, exponent in (("onnxruntime", 6.5), ("mindspore", 6.5), ("onnxruntime", 1)):
        target = tmp_path / f"{engine}{exponent}.npy"
        words = ["--checkpoint", tmp_path / "plain.ckpt", "--images", tmp_path / "images", "--output", target]
        words += ["--image_size", "64", "--gem_p", exponent, "--engine", engine]
        assert run(EMBED, *words, network="multigrain") == 0
        found[engine, exponent] = open_vectors(target)
        assert found[engine, exponent].facts["options"]["gem_p"] == exponent
    wanted = found["mindspore", 6.5].array
    assert relative_difference(found["onnxruntime", 6.5].array, wanted) < 1e-5
    assert relative_difference(found["onnxruntime", 1].array, wanted) > 1e-3


def test_a_difference_is_found_by_verify(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph_of = network_graph.graph_of

    def shifted(*words: Any) -> NetworkGraph:
        """A graph that is wrong by a half."""
        import onnx

        graph = graph_of(*words)
        model = onnx.load_from_string(graph.content)
        constant = onnx.numpy_helper.from_array(np.full(3, 0.5, np.float32), "wrong")
        model.graph.initializer.append(constant)
        last = model.graph.node[-1]
        output = last.output[0]
        last.output[0] = "before"
        model.graph.node.append(onnx.helper.make_node("Add", ["before", "wrong"], [output]))
        return dataclasses.replace(graph, content=model.SerializeToString())

    monkeypatch.setattr(network_graph, "graph_of", shifted)
    image = next((trained.data / "val" / "red").iterdir())
    assert run(PREDICT, "--checkpoint", trained.checkpoint, image, *BY_ONNX, "--verify", "1") == 1
    assert "largest difference between ONNX Runtime and MindSpore" in capsys.readouterr().out


def test_weights_that_do_not_fit_are_refused_as_ever(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC)
    rows = [{"name": name, "data": ms.Tensor(value)} for name, value in content.weights.items()]
    dropped = next(name for name in content.weights if name.endswith("moving_mean"))
    ms.save_checkpoint([row for row in rows if row["name"] != dropped], str(tmp_path / "lacks.ckpt"))
    image = next((trained.data / "val" / "red").iterdir())
    said = []
    for engine in ("onnxruntime", "mindspore"):
        words = ["--checkpoint", tmp_path / "lacks.ckpt", image, "--image_size", "32", "--engine", engine]
        assert run(PREDICT, *words) == 2
        said.append(capsys.readouterr().err)
    assert said[0] == said[1]
    assert f"1 missing ({dropped})" in said[0]


def test_mindspore_computes_where_there_is_no_graph(
    trained: Trained, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(network_graph, "MAKER", "raise SystemExit('no exporter here')")
    monkeypatch.delenv(choice.VARIABLE)
    image = next((trained.data / "val" / "red").iterdir())
    assert run(PREDICT, "--checkpoint", trained.checkpoint, image) == 0
    printed = capsys.readouterr().out
    assert "MindSpore computes, since there is no graph of densenet121 for ONNX Runtime: no exporter here" in printed
    assert f"{image}: " in printed
    assert run(PREDICT, "--checkpoint", trained.checkpoint, image, *BY_ONNX) == 2
    assert "there is no graph of densenet121 for it: no exporter here" in capsys.readouterr().err


def test_an_exported_file_is_a_checkpoint(trained: Trained, tmp_path: Path) -> None:
    target = tmp_path / "exported.onnx"
    words = [
        "--checkpoint",
        trained.checkpoint,
        "--file_format",
        "ONNX",
        "--file_name",
        target,
        "--preprocess",
        "inside",
    ]
    assert run(commands.EXPORT, *words) == 0
    folder = str(trained.data / "val")
    wanted = predicted(trained.checkpoint, tmp_path, folder)
    same_rows(predicted(target, tmp_path, folder), wanted)
    same_rows(predicted(target, tmp_path, folder, *BY_ONNX), wanted)
    words = ["--checkpoint", target, "--images", folder, "--output", tmp_path / "v.npy", *BY_ONNX]
    assert run(EMBED, *words) == 0
    network = create_model("densenet121", checkpoint=target)
    assert {one.name: one.asnumpy().sum() for one in network.get_parameters()} == {
        one.name: one.asnumpy().sum()
        for one in create_model("densenet121", checkpoint=trained.checkpoint).get_parameters()
    }


@pytest.mark.parametrize("value", ["tensorrt", "ONNXRUNTIME"])
def test_a_variable_that_means_nothing_is_refused(
    trained: Trained, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(choice.VARIABLE, value)
    image = next((trained.data / "val" / "red").iterdir())
    assert run(PREDICT, "--checkpoint", trained.checkpoint, image) == 2
    assert f"the variable MINDZOO_ENGINE is {value}; wanted auto, mindspore or onnxruntime" in capsys.readouterr().err
