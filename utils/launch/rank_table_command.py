"""`mindzoo rank-table`: checks, joins and makes rank tables, as the scripts for servers without mindzoo do."""

from __future__ import annotations

from pathlib import Path

from mindzoo.utils.cluster import hccl_tools, rank_table
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.launch.rank_table_keys import RankTableConfig
from mindzoo.utils.log import logger

ACTIONS = ("check", "merge", "make")


def run(config: RankTableConfig) -> None:
    """Do what the first word says.

    Raises:
        UserError: no such action, files too few or too many, or see `rank_table.read_table`, `hccl_tools.merge` and
            `hccl_tools.write_own`.
    """
    action, *files = config.words or ("",)
    if action not in ACTIONS:
        raise UserError(
            f"rank-table {action}".rstrip() + f": wanted {', '.join(ACTIONS[:-1])} or {ACTIONS[-1]}, and files"
        )
    if action == "make":
        if files:
            raise UserError(f"rank-table make takes no file, and {shorten(files)} was given; leave it out")
        hccl_tools.write_own(config.device_num, config.visible_devices, config.server_ip, Path(config.hccn_conf))
    elif not files or (action == "check" and len(files) > 1):
        wanted = "one table" if action == "check" else "the tables of the servers, server 0 first"
        raise UserError(f"rank-table {action} got {shorten(files) or 'no file'}; wanted {wanted}")
    elif action == "merge":
        hccl_tools.write_merged([Path(file) for file in files])
    else:
        check(Path(files[0]), config)


def check(path: Path, config: RankTableConfig) -> None:
    """Say what the table lists, and which of its servers this is.

    Raises:
        UserError: it has faults; or `node_rank` is none of it.
    """
    table = rank_table.read_table(path, config.wait)
    form = "group_list, the older form; launch converts it" if table.converted else "server_list"
    logger.info("%s: %d ranks on %d servers (%s)", table.path, table.world_size, len(table.servers), form)
    for number, server in enumerate(table.servers):
        devices = ", ".join(f"{device.rank_id} on device {device.device_id}" for device in table.devices_of(number))
        logger.info("server %d at %s: ranks %s", number, server.address, devices)
    try:
        here = rank_table.local_server(table, None if config.node_rank < 0 else config.node_rank)
    except UserError as error:
        if config.node_rank >= 0:
            raise
        logger.info("note: %s", error)
    else:
        logger.info("this is server %d", here)
