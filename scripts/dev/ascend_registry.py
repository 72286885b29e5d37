"""What the installed MindSpore registers for an operator on Ascend, without a card and without CANN.

    python scripts/dev/ascend_registry.py OPERATOR ...

It prints JSON: by operator whether MindSpore has

- "ge": an adapter to an operator of the graph engine. A 910A takes whole graphs, and every operator in them needs one;
  on A2 and A3 such an operator serves where there is no aclnn kernel.
- "rewritten": a rule that puts other operators in its place where there is no adapter, such as ReduceSum for SumExt.
- "aclnn": a kernel that calls CANN's aclnn interface; A2 and A3 take these first.
- "aicpu": a registration for the card's AICPU, which is slow. It does not say that the operator runs there: Add has one.

The adapters and the aclnn kernels are answers of MindSpore's own functions, `FindAdapter` and `IsRegisteredAclnnOp`, which the kernel selection
on a card asks. They are in libraries of the wheel that need CANN's libraries to be loaded. CANN is stood in for by a
library in a temporary folder whose functions all return 0: the registrations run when a library is loaded, and call
nothing of CANN but one table of error texts, which is stood in for by an empty one. The rules are read from the table in memory that holds them
(IRBuilderFactory), the AICPU's operators from the Python files that register them.

It wants Linux on x86-64, a C compiler (`cc`) and `nm`, and a process of its own: the libraries add to MindSpore's tables.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

ADAPTERS, KERNELS = "libmindspore_ascend_res_manager.so", "libmindspore_ops_ascend.so"
# Libraries that `KERNELS` expects to be there already, and those that stand in for what only a card has.
EXPECTED, STOOD_IN_FOR = ("libmindspore_ops_host.so", "libmindspore_cluster.so"), ("libd_collective.so", "libshmem.so")
RULES, RULES_TABLE = "libmindspore_backend_common.so", "_ZZN9mindspore8expander16IRBuilderFactory8InstanceEvE8instance"
ERROR_TEXTS = "_ZN2ge13StatusFactory8InstanceEv"
# An empty std::map is a root that is null and two ends that are its own head.
ERROR_TEXTS_CODE = f"""
.globl {ERROR_TEXTS}
.type {ERROR_TEXTS},@function
{ERROR_TEXTS}: leaq texts(%rip),%rax
ret
.data
.balign 8
texts: .quad 0,0,0,texts+8,texts+8,0
.section .note.GNU-stack,"",@progbits
"""
FIND_ADAPTER, IS_ACLNN = "device6ascend11FindAdapterERKSsb", "6kernel19IsRegisteredAclnnOpERKSs"


def main(operators: Iterable[str]) -> int:
    print(json.dumps(registered(operators), indent=1))
    return 0


def registered(operators: Iterable[str]) -> dict[str, dict[str, bool]]:
    """For each operator the four answers of the module's head.

    Raises:
        OSError: a library of MindSpore cannot be loaded.
        subprocess.CalledProcessError: the compiler or `nm` failed.
    """
    import mindspore

    root = Path(mindspore.__file__).parent
    on_aicpu, rewritten = aicpu_names(root), rewritten_names(root)
    with tempfile.TemporaryDirectory() as folder:
        has_adapter, has_aclnn = _questions(root / "lib", Path(folder))
        return {
            name: {
                "ge": has_adapter(name),
                "rewritten": name in rewritten,
                "aclnn": has_aclnn(name),
                "aicpu": name in on_aicpu,
            }
            for name in operators
        }


def aicpu_names(root: Path) -> set[str]:
    """The operators that the MindSpore in `root` registers for the AICPU."""
    files = (root / "ops/_op_impl/aicpu").glob("*.py")
    return {name for path in files for name in re.findall(r'AiCPURegOp\("(\w+)"\)', path.read_text(encoding="utf-8"))}


def rewritten_names(root: Path) -> set[str]:
    """The operators that MindSpore can put others in the place of, before it looks for adapters.

    Raises:
        ValueError: the table is not laid out as expected.
    """
    library = ctypes.CDLL(str(root / "lib" / RULES))
    # A hash table (robin_hood): behind its memory pool and a factor its nodes, a byte for each place that says whether it
    # is taken, and the numbers of nodes, of places less one, and of nodes that fit.
    table = (ctypes.c_uint64 * 8).in_dll(library, RULES_TABLE)
    nodes, taken, count, mask, most = table[3:]
    places = mask + 1 + min(most, 255) if count <= most <= mask < 1 << 16 else 0
    found = set()
    for place in range(places):
        if ctypes.c_uint8.from_address(taken + place).value:
            node = ctypes.c_uint64.from_address(nodes + 8 * place).value
            found.add(ctypes.string_at(ctypes.c_uint64.from_address(node).value).decode())
    if len(found) != count:
        raise ValueError(f"{RULES} has {count} rules, and {len(found)} were found; its table has another layout")
    return found


def _questions(lib: Path, folder: Path) -> tuple[Callable[[str], bool], Callable[[str], bool]]:
    """Whether an operator has an adapter, and whether it has an aclnn kernel."""
    for name in EXPECTED:
        ctypes.CDLL(str(lib / name), mode=os.RTLD_GLOBAL)
    originals = [lib / "plugin/ascend" / ADAPTERS, lib / "plugin" / KERNELS]
    _write_stand_in(folder, originals)
    for original in originals:
        # Libraries look for others in the folder through which they are loaded: here they find the stand-in.
        (folder / original.name).symlink_to(original)
    adapters, kernels = (ctypes.CDLL(str(folder / path.name), mode=os.RTLD_LAZY) for path in originals)
    find = getattr(adapters, _symbol(originals[0], FIND_ADAPTER))
    ask = getattr(kernels, _symbol(originals[1], IS_ACLNN))
    find.restype, ask.restype = None, ctypes.c_bool

    def has_adapter(name: str) -> bool:
        adapter = (ctypes.c_void_p * 2)()  # a std::shared_ptr, which the caller has room for
        _kept, text = _std_string(name)
        find(ctypes.byref(adapter), ctypes.byref(text), ctypes.c_bool(True))
        return bool(adapter[0])

    def has_aclnn(name: str) -> bool:
        _kept, text = _std_string(name)
        return bool(ask(ctypes.byref(text)))

    return has_adapter, has_aclnn


def _write_stand_in(folder: Path, libraries: list[Path]) -> None:
    """A library in `folder` that has every symbol which `libraries` miss in this process."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        paths = {Path(line.split(maxsplit=5)[5].rstrip("\n")) for line in maps if ".so" in line}
    # MindSpore's libraries and the system's; those of other packages have nothing that these want.
    loaded = [path for path in paths if "site-packages" not in path.parts or "mindspore" in path.parts]
    present = set().union(*(_symbols(path, "--defined-only") for path in loaded))
    missing = {ERROR_TEXTS}
    for path in libraries:
        present |= _symbols(path, "--defined-only")  # each sees the one before
        missing |= _symbols(path, "--undefined-only") - present
    rows = [f'.weak "{name}"\n.type "{name}",@function\n"{name}":' for name in sorted(missing - {ERROR_TEXTS})]
    source, target = folder / "stand_in.s", folder / STOOD_IN_FOR[0]
    # Some are data: room to read from.
    code = [".text", *rows, "xorl %eax,%eax", "ret", ".fill 4096,1,0", ERROR_TEXTS_CODE]
    source.write_text("\n".join(code), encoding="utf-8")
    subprocess.run(["cc", "-shared", "-nostdlib", "-o", target, source], check=True)
    for name in STOOD_IN_FOR[1:]:
        (folder / name).symlink_to(target.name)


def _symbols(path: Path, which: str) -> set[str]:
    """Names of dynamic symbols, without those that may be absent and those of Python."""
    rows = subprocess.run(["nm", "-D", which, str(path)], capture_output=True, text=True, check=True).stdout
    names = {row[-1].split("@")[0] for line in rows.splitlines() if (row := line.split()) and row[-2] not in "wv"}
    return {name for name in names if not name.startswith(("Py", "_Py"))}


def _symbol(path: Path, part: str) -> str:
    (name,) = (name for name in _symbols(path, "--defined-only") if name.endswith(part))
    return name


def _std_string(text: str) -> tuple[ctypes.Array[ctypes.c_char], ctypes.c_void_p]:
    """A std::string as MindSpore's libraries have it, a pointer behind length, capacity and a count of users."""
    value = text.encode()
    kept = ctypes.create_string_buffer(struct.pack("<qqq", len(value), len(value), 1) + value)
    return kept, ctypes.c_void_p(ctypes.addressof(kept) + 24)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
