"""The keys that all networks share."""

from __future__ import annotations

import re
from dataclasses import asdict, fields

import pytest

from mindzoo.utils.config import reading
from mindzoo.utils.config.image_keys import PreprocessingKeys
from mindzoo.utils.config.keys import CHECKPOINT_ALIASES, TRAIN_ALIASES, EvalConfig, ExportConfig, TrainConfig
from mindzoo.utils.errors import UserError
from mindzoo.utils.inference.keys import PredictConfig

ALL = [TrainConfig, EvalConfig, ExportConfig, PredictConfig]


@pytest.mark.parametrize("kind", ALL)
def test_every_default_passes_its_own_checks(kind: type) -> None:
    assert reading.make(kind, asdict(kind())) == kind()


@pytest.mark.parametrize("kind", ALL)
def test_conditions_name_keys_and_values_that_exist(kind: type) -> None:
    for spec in fields(kind):
        for other, values in spec.metadata["only_with"]:
            for value in values:
                assert getattr(reading.make(kind, {other: value}), other) == value


@pytest.mark.parametrize("kind", ALL)
def test_every_key_is_explained_in_one_line(kind: type) -> None:
    for spec in fields(kind):
        assert spec.metadata["help"].strip()
        assert "\n" not in spec.metadata["help"]


def test_common_aliases_point_at_keys_and_are_none_themselves() -> None:
    for aliases, kinds in ((TRAIN_ALIASES, [TrainConfig]), (CHECKPOINT_ALIASES, ALL[1:])):
        known = {spec.name for kind in kinds for spec in fields(kind)}
        assert set(aliases.values()) <= known
        assert not set(aliases) & known


@pytest.mark.parametrize("kind", ALL)
def test_one_number_means_height_and_width(kind: type) -> None:
    assert kind(image_size=(32,)).image_size == (32, 32)
    assert kind(image_size=(32, 48)).image_size == (32, 48)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"image_size": (1, 2, 3)}, "image_size has 3 numbers; wanted height,width"),
        ({"image_size": ()}, "image_size has 0 numbers; wanted height,width"),
        ({"mean": (0.5, 0.5)}, "mean has 2 numbers; wanted three, for red, green, blue"),
        ({"std": (0.5,)}, "std has 1 number; wanted three, for red, green, blue"),
        ({"std": (0.5, 0.5, 0.0)}, "std is 0; wanted at least 1e-06"),
        ({"crop_pct": 0.0}, "crop_pct is 0; wanted at least 0.01 and at most 1"),
        ({"resize_mode": "longer"}, "resize_mode is longer; wanted one of square, shorter"),
    ],
)
@pytest.mark.parametrize("kind", [PreprocessingKeys, *ALL])
def test_preprocessing_that_cannot_be(kind: type, values: dict[str, object], wanted: str) -> None:
    with pytest.raises(UserError) as caught:
        reading.make(kind, values)
    assert str(caught.value) == wanted


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"crop_scale": (1.0, 0.5)}, "crop_scale is 1.0,0.5; wanted smallest,largest"),
        ({"crop_scale": (0.5,)}, "crop_scale is 0.5; wanted smallest,largest"),
        ({"crop_ratio": (2.0, 1.0)}, "crop_ratio is 2.0,1.0; wanted smallest,largest"),
        ({"color_jitter": (0.4,)}, "color_jitter has 1 number; wanted brightness,contrast,saturation"),
        ({"rand_augment": (2,)}, "rand_augment is 2; wanted operations,magnitude with at least one operation"),
        ({"rand_augment": (0, 9)}, "rand_augment is 0,9; wanted operations,magnitude with at least one operation"),
        ({"rand_augment": (2, 31)}, "rand_augment is 31; wanted at least 0 and at most 30"),
        (
            {"auto_augment": True, "rand_augment": (2, 9)},
            "an image gets one policy of random operations, and there are auto_augment true and rand_augment 2,9; wanted one",
        ),
        ({"mixup": -0.1}, "mixup is -0.1; wanted at least 0 and at most 1000"),
        ({"mixup": 0.2, "cutmix": 1.0, "batch_size": 1}, "mixup 0.2 and cutmix 1: there is one image in a batch"),
        ({"cutmix": 1.0, "batch_size": 4, "repeats": 4}, "cutmix 1: there is one image in a batch"),
        ({"label_smooth_factor": 1.0}, "label_smooth_factor is 1; wanted at least 0 and at most 0.999"),
        ({"batch_size": 0}, "batch_size is 0; wanted at least 1"),
        ({"max_epoch": 0}, "max_epoch is 0; wanted at least 1"),
        ({"max_steps": 2**31}, "max_steps is 2147483648; wanted 2147483647 at most"),
        (
            {"optimizer": "momentun"},
            "optimizer is momentun; wanted one of momentum, nesterov, rmsprop, adamw (did you mean momentum?)",
        ),
        ({"amp_level": "O1"}, "amp_level is O1; wanted one of auto, O0, O2, O3"),
    ],
)
def test_training_that_cannot_be(values: dict[str, object], wanted: str) -> None:
    with pytest.raises(UserError) as caught:
        reading.make(TrainConfig, values)
    assert str(caught.value).startswith(wanted)


@pytest.mark.parametrize("jitter", [(), (0.4, 0.4, 0.4)])
def test_color_jitter_is_all_or_nothing(jitter: tuple[float, ...]) -> None:
    assert TrainConfig(color_jitter=jitter).color_jitter == jitter


def test_smoothing_takes_effect_only_where_it_is_on() -> None:
    assert TrainConfig(label_smooth_factor=0.2).smoothing == 0.0
    assert TrainConfig(label_smooth=True, label_smooth_factor=0.2).smoothing == 0.2
    assert TrainConfig(label_smooth=True).smoothing == 0.1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", "4294967296"),
        ("seed", "9" * 5000),
        ("image_size", "99999999"),
        ("num_classes", "1" + 11 * "0"),
        ("max_epoch", "1e12"),
        ("crop_scale", "0,0"),
        ("crop_ratio", "1e30,1e30"),
        ("log_interval", "99999999999999999999"),
        ("log_interval", "-" + 400 * "9"),
        ("lr", "1e39"),
        ("lr", "nan"),
        ("output_dir", "x" * 300),
        ("output_dir", "a/" * 3000),
        ("output_dir", "a\0b"),
    ],
    ids=lambda text: text[:12].replace("\0", "NUL"),
)
def test_what_no_machine_can_take_is_refused_in_a_short_line(key: str, value: str) -> None:
    with pytest.raises(UserError) as caught:
        reading.read_config(TrainConfig, [f"--{key}", value])
    assert re.match(rf"(--)?{key} (is|holds) ", str(caught.value))
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("key", ["data_dir", "data_url", "output_dir", "train_url", "checkpoint_url"])
@pytest.mark.parametrize(
    "address",
    [
        "obs://AK:SECRET@bucket/path",
        "obs://bucket/x?AccessKeyId=AK&Expires=1&Signature=SECRET",
        "s3://bucket/x?X-Amz-Credential=SECRET",
        "https://bucket.server/x?x-obs-security-token=SECRET",
    ],
)
def test_an_address_with_credentials_is_refused_and_not_repeated(key: str, address: str) -> None:
    with pytest.raises(UserError, match=f"^--{key} is an address with credentials in it") as caught:
        reading.read_config(TrainConfig, [f"--{key}", address])
    assert "SECRET" not in str(caught.value)
