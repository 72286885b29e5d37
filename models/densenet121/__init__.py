"""DenseNet-121."""

from mindzoo.models.densenet121.spec import SPEC as SPEC
