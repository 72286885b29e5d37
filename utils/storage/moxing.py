"""ModelArts' own module `moxing`, which copies between OBS and the disk of a job.

It comes with the images of ModelArts and is on no package index. PyPI has another project of that name.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mindzoo.utils import progress
from mindzoo.utils.errors import UserError
from mindzoo.utils.log import aside
from mindzoo.utils.storage import places, urls
from mindzoo.utils.storage.places import Inside
from mindzoo.utils.storage.retry import patiently, reason
from mindzoo.utils.storage.store import Copied, Entry, Store

FILES = (".ckpt", ".pth", ".tar", ".pt", ".bin", ".safetensors", ".gz", ".tgz")


def find(*, required: bool) -> Any:
    """`moxing.file` of a ModelArts image; None where there is none and none is `required`.

    Raises:
        UserError: it is required, and the module is missing, cannot be imported, or is another project's.
    """
    # The package on PyPI is called like its module. Nobody asked for it, so it is not even imported.
    if not required and (find_spec("moxing") is None or _from_package_index()):
        return None
    try:
        module = importlib.import_module("moxing")
        if hasattr(module, "file") and hasattr(module.file, "copy_parallel"):
            return module.file
        found = f"the module moxing that is installed here, {module.__file__}, has no moxing.file.copy_parallel"
    except Exception as error:  # another project's module may raise anything
        found = f"the module moxing cannot be imported here ({reason(error)})"
    if not required:
        return None
    raise UserError(
        f"modelarts is true, and {found}; wanted ModelArts' own, which its images provide (moxing on PyPI is another "
        "project: pip uninstall moxing); elsewhere leave modelarts out, then buckets need mindzoo's extra obs"
    )


def _from_package_index() -> bool:
    try:
        importlib.metadata.distribution("moxing")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


class Moxing(Store):
    """Copies with `moxing.file`; of that only `copy_parallel` is needed, for folders."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def known(self, url: str) -> Mapping[str, Entry] | None:
        if hasattr(self.file, "exists") and not self.file.exists(url):
            return {}
        return None

    def copy_in(self, url: str, folder: Path, *, replace: bool = True) -> Copied:
        aside("copying %s to %s with moxing", url, folder)
        single = "" if self._is_folder(url) else urls.base_name(url)
        if single:
            places.check_names(url, [single])
        elif hasattr(self.file, "list_directory"):
            # moxing writes wherever a name leads: look at them before.
            listed = patiently(lambda: self.file.list_directory(url, recursive=True), f"listing {url}")
            places.check_names(url, filter(None, (name.rstrip("/") for name in listed)))
        # Beside the files that are there, which may be in use: each is replaced as a whole.
        temporary = folder / places.COPYING
        shutil.rmtree(temporary, ignore_errors=True)  # of a job that died halfway
        if single:
            temporary.mkdir()
        copy = getattr(self.file, "copy", self.file.copy_parallel) if single else self.file.copy_parallel
        with progress.ticking(f"copy {url}"):
            patiently(lambda: copy(url, str(temporary / single)), f"copying {url}")
        paths = [path for path in temporary.rglob("*") if path.is_file() and not path.is_symlink()]
        names = places.names_to_copy(url, [path.relative_to(temporary).as_posix() for path in paths])
        if not names:
            raise FileNotFoundError(f"{url} holds nothing")
        inside = Inside(folder)
        for name in names:
            target = inside.path(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if replace or not target.exists():
                os.replace(temporary / name, target)
        shutil.rmtree(temporary)
        aside("copied %s, files: %s", url, f"{len(names):,}")
        return Copied(single, names)

    def put(self, path: Path, url: str) -> None:
        if hasattr(self.file, "copy"):
            self.file.copy(str(path), url)
            return
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(path, Path(folder) / urls.base_name(url))
            self.file.copy_parallel(folder, url.rsplit("/", 1)[0])

    def _is_folder(self, url: str) -> bool:
        if hasattr(self.file, "is_directory"):
            return bool(self.file.is_directory(url))
        return Path(url).suffix not in FILES
