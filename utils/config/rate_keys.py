"""The configuration keys of learning rates that every network can have: a schedule of its own choice, rates of layers."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key

OWN, COSINE, RESTARTS, ONE_CYCLE = "own", "cosine", "cosine_restarts", "one_cycle"
POLYNOMIAL, STEP, PLATEAU = "polynomial", "step", "plateau"
SCHEDULES = (OWN, COSINE, RESTARTS, ONE_CYCLE, POLYNOMIAL, STEP, PLATEAU)
# Of keys that belong to a network's own schedule, or to some of the common ones.
OF_OWN = ("schedule", (OWN,))
BUT_ONE_CYCLE = ("schedule", tuple(name for name in SCHEDULES if name != ONE_CYCLE))


@dataclass(frozen=True)
class ChosenScheduleKeys:
    """Schedules that every network can have in place of its own"""

    schedule: str = key(
        OWN,
        "how the learning rate goes on after the warmup; own: as the network's original has it, by the keys that only this network has; plateau: as it is, until evaluations get no better",
        choices=SCHEDULES,
    )
    final_lr: float = key(
        0.0,
        "learning rate at the end; at the end of each cosine with cosine_restarts; the lowest with plateau",
        minimum=0,
        only_with=("schedule", (COSINE, RESTARTS, ONE_CYCLE, POLYNOMIAL, PLATEAU)),
    )
    restart_epochs: int = key(10, "epochs of the first cosine", minimum=1, only_with=("schedule", (RESTARTS,)))
    restart_growth: float = key(
        2.0, "how much longer each cosine is than the one before", minimum=1, only_with=("schedule", (RESTARTS,))
    )
    cycle_rise: float = key(
        0.3,
        "share of the steps in which the learning rate rises to lr; there is no other warmup",
        minimum=0,
        maximum=1,
        only_with=("schedule", (ONE_CYCLE,)),
    )
    cycle_start: float = key(
        25.0, "what lr is divided by for the first step", minimum=1, only_with=("schedule", (ONE_CYCLE,))
    )
    poly_power: float = key(
        2.0, "power of the share that is left to do", minimum=0, only_with=("schedule", (POLYNOMIAL,))
    )
    decay_epochs: tuple[int, ...] = key(
        (30, 60, 90), "epochs at which the learning rate falls", minimum=1, only_with=("schedule", (STEP,))
    )
    decay_factor: float = key(
        0.1,
        "factor on the learning rate when it falls",
        minimum=0,
        maximum=1,
        only_with=("schedule", (STEP, PLATEAU)),
    )
    plateau_patience: int = key(
        3,
        "evaluations in a row, after the warmup, without a better one, see min_delta, after which the learning rate falls",
        minimum=1,
        only_with=("schedule", (PLATEAU,)),
    )


@dataclass(frozen=True)
class LayerRateKeys:
    """Rates of single layers"""

    layer_decay: float = key(
        1.0,
        "factor on the learning rate from one stage of the network to the one before it, so that the first layers change least; the head has the whole rate; 1: all have",
        minimum=1e-6,
        maximum=1,
    )
    lr_groups: tuple[str, ...] = key(
        (),
        "factors on the learning rate of parameters, as in 'conv1*=0.1,classifier*=10': names with * for any characters; of several that match the last one counts; they multiply layer_decay's",
    )
    weight_decay_groups: tuple[str, ...] = key(
        (),
        "factors on weight_decay of parameters, in the same form; what is not decayed at all stays so",
    )
