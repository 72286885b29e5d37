"""Archives for tests."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

FILE, FOLDER, LINK, SECOND, FIFO = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE


def packed(
    *members: tuple[str, bytes, bytes | str], form: int = tarfile.GNU_FORMAT, pax: Mapping[str, str] | None = None
) -> bytes:
    """A tar file of members (name, kind, content or what a link leads to), with these fields in their headers."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT if pax else form) as tar:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.pax_headers = dict(pax or {})
            if isinstance(content, str):
                info.linkname = content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return file.getvalue()
