"""HRNet-W48-C."""

from mindzoo.models.hrnet_w48.spec import SPEC as SPEC
