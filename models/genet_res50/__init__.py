"""Gather-Excite ResNet-50."""

from mindzoo.models.genet_res50.spec import SPEC as SPEC
