"""What one does with a machine, or several: examine them, and make their rank tables."""

from __future__ import annotations

from typing import Any

from mindzoo.utils.commands.command import Command
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.doctor.keys import DoctorConfig
from mindzoo.utils.exits import FoundProblems
from mindzoo.utils.launch.rank_table_keys import RankTableConfig
from mindzoo.utils.log import ProgressDisplay


def _doctor(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.doctor import examination

    if examination.report(loaded.config):
        raise FoundProblems


def _rank_table(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.launch import rank_table_command

    rank_table_command.run(loaded.config)


DOCTOR = Command(
    name="doctor",
    help="check this machine, and say what is wrong: doctor [--rank_table FILE]",
    config=lambda _: DoctorConfig,
    run=_doctor,
    verb="Check this machine and say what is wrong",
    examples=("", "--devices 8 --rank_table hccl_8p.json"),
    of_a_network=False,
    needs_mindspore=False,
)


RANK_TABLE = Command(
    name="rank-table",
    help="check, join or make rank tables: rank-table check|merge|make",
    config=lambda _: RankTableConfig,
    run=_rank_table,
    verb="Check a rank table, join those of several servers, or make that of this one",
    examples=("check hccl_4s_32p.json", "merge hccl_8p_01234567_10.0.0.5.json hccl_8p_01234567_10.0.0.6.json", "make"),
    operands=" check|merge|make [TABLE ...]",
    of_a_network=False,
    needs_mindspore=False,
)
