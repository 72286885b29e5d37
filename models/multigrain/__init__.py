"""MultiGrain."""

from mindzoo.models.multigrain.spec import SPEC as SPEC
