"""Evaluation counts every image once, and its numbers are those of NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor, nn

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.trainings import Trained
from mindzoo.utils.checkpoints import checkpoint_file, loading, network_plan
from mindzoo.utils.data import class_folders as folders
from mindzoo.utils.data import transforms
from mindzoo.utils.data.loader import EvalData
from mindzoo.utils.reports import figures
from mindzoo.utils.runtime import World
from mindzoo.utils.training.hit_counter import HitCounter

HOW = transforms.Preprocessing((32, 32), 1.0, "square", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def images_and_labels(root: Path) -> tuple[np.ndarray, np.ndarray]:
    scanned = folders.scan(root)
    return np.stack([transforms.load_image(root / name, HOW) for name in scanned.files]), scanned.labels


def network_of(classes: int) -> nn.Cell:
    """A network that is right sometimes, of one layer: it compiles at once."""
    layer = nn.Dense(3 * 32 * 32, classes)
    random = np.random.default_rng(1)
    for parameter in layer.trainable_params():
        parameter.set_data(Tensor(random.normal(0, 0.05, parameter.shape).astype(np.float32)))
    return nn.SequentialCell(nn.Flatten(), layer).set_train(False)


def reference(network: nn.Cell, root: Path, k: int) -> tuple[int, int, float]:
    """Top-1 and top-k hits and mean loss, in float64."""
    images, labels = images_and_labels(root)
    logits = network(Tensor(images)).asnumpy().astype(np.float64)
    shifted = logits - logits.max(1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]
    order = np.argsort(-logits, axis=1)
    hits = order == labels[:, None]
    return int(hits[:, 0].sum()), int(hits[:, :k].sum()), float(losses.mean())


def data_of(root: Path, batch_size: int, world: World | None = None) -> EvalData:
    operations = transforms.evaluation_operations(HOW)
    return EvalData(folders.scan(root), operations, batch_size=batch_size, world=world or World(), workers=1)


@pytest.mark.parametrize("batch_size", [1, 4, 5, 13])
def test_every_image_counts_once(colors: Path, batch_size: int) -> None:
    network = network_of(3)
    result = HitCounter(network, 3, World()).run(data_of(colors / "val", batch_size))
    top1, top3, loss = reference(network, colors / "val", 3)
    assert (result.top1, result.top5, result.total, result.k) == (top1, top3, 13, 3)
    assert 0 < top1 < 13
    assert result.loss == pytest.approx(loss, rel=1e-5)
    assert result.accuracy == top1 / 13


@pytest.mark.parametrize(("classes", "k"), [(3, 3), (4, 4), (5, 5), (9, 5)])
def test_top_k_with_few_and_many_classes(colors: Path, classes: int, k: int) -> None:
    network = network_of(classes)
    result = HitCounter(network, classes, World()).run(data_of(colors / "val", 7))
    top1, top, loss = reference(network, colors / "val", k)
    assert (result.top1, result.top5, result.k) == (top1, top, k)
    assert result.loss == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize(("classes", "batch_size"), [(3, 4), (9, 13)])
def test_what_is_said_of_each_image(colors: Path, classes: int, batch_size: int) -> None:
    network, data = network_of(classes), data_of(colors / "val", batch_size)
    counter = HitCounter(network, classes, World())
    result = counter.run(data)
    found = counter.predictions(data)
    images, labels = images_and_labels(colors / "val")
    logits = network(Tensor(images)).asnumpy().astype(np.float64)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = powers / powers.sum(1, keepdims=True)
    best = np.argsort(-logits, axis=1)[:, : result.k]
    assert found.files == data.folders.files
    assert found.labels.tolist() == labels.tolist()
    assert found.best.tolist() == best.tolist()
    np.testing.assert_allclose(found.shares, np.take_along_axis(probabilities, best, 1), rtol=1e-4)
    assert int(found.hits.sum()) == result.top1
    recall = [found.hits[labels == label].mean() for label in range(3)]
    assert result.balanced_accuracy == pytest.approx(np.mean(recall))
    assert counter.by_class.said.tolist() == np.bincount(best[:, 0], minlength=classes).tolist()
    assert result.calibration_error == pytest.approx(figures.calibration(found).error, abs=1e-6)
    assert Path(found.root).is_absolute()


@pytest.mark.parametrize("size", [2, 3])
def test_ranks_share_the_images_without_overlap(colors: Path, size: int) -> None:
    shares = [data_of(colors / "val", 4, World(rank, size)) for rank in range(size)]
    counted = np.concatenate([share.indices[: share.valid] for share in shares])
    assert sorted(counted.tolist()) == list(range(13))
    assert len({share.batches for share in shares}) == 1
    masks = [sum(float(mask.sum()) for _, _, mask in share) for share in shares]
    assert sum(masks) == 13


def test_the_same_evaluator_counts_again(colors: Path, trained: Trained) -> None:
    found = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC)
    plan = network_plan.plan_network(SPEC, found)
    network = SPEC.build(plan.num_classes, **plan.options)
    loading.load_into(network, found)
    evaluator, data = HitCounter(network, 3, World()), data_of(colors / "val", 5)
    first = evaluator.run(data)
    assert first.accuracy == 1.0
    assert evaluator.run(data) == first
