"""What the compiled graphs that are kept take of the disk, and how to be rid of them."""

from __future__ import annotations

from mindzoo.utils.compiling.store import LIMIT_VARIABLE, Store, default_folder, size_limit
from mindzoo.utils.doctor.finding import Finding, ok, warning
from mindzoo.utils.errors import UserError


def check_kept_graphs() -> Finding:
    """Their number, size and folder."""
    try:
        limit = size_limit()
    except UserError as error:
        return warning("graphs", str(error))
    store = Store(default_folder())
    entries = store.entries()
    if not entries:
        return ok("graphs", f"no compiled graph is kept in {store.folder}")
    return ok(
        "graphs",
        f"{len(entries)} compiled graphs, {store.size() / 1e6:.1f} of at most {limit / 1e6:.0f} MB ({LIMIT_VARIABLE}), "
        f"are kept in {store.folder}; the folder may be removed",
    )
