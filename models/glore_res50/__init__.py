"""GloRe-ResNet-50."""

from mindzoo.models.glore_res50.spec import SPEC as SPEC
