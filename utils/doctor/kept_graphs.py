"""What the compiled graphs that are kept take of the disk, and how to be rid of them."""

from __future__ import annotations

from mindzoo.utils.compiling.store import LIMIT_VARIABLE, Store, default_folder, size_limit
from mindzoo.utils.doctor.finding import Finding, ok, warning
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.files import user_cache


def check_kept_graphs() -> Finding:
    """Their number, size and folder."""
    try:
        limit = size_limit()
    except UserError as error:
        return warning("graphs", str(error))
    compiled, exported = Store(default_folder()), Store(user_cache("onnx"))
    if not compiled.entries() and not exported.entries():
        return ok("graphs", f"no compiled graph is kept in {compiled.folder}")
    return ok(
        "graphs",
        f"{counted(len(compiled.entries()), 'compiled graph')}, {compiled.size() / 1e6:.1f} of at most {limit / 1e6:.0f} MB "
        f"({LIMIT_VARIABLE}), kept in {compiled.folder}, and {len(exported.entries())} for ONNX Runtime, "
        f"{exported.size() / 1e6:.1f} MB, in {exported.folder}; the folders may be removed",
    )
