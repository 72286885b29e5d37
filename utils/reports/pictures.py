"""Small pictures as data URLs, of images in class folders or in a pack."""

from __future__ import annotations

from pathlib import Path

from mindzoo.utils.data import listing, packed
from mindzoo.utils.data.image_file import read_file
from mindzoo.utils.data.packed import Packed
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import is_inside, resolved
from mindzoo.utils.images.fault import Fault
from mindzoo.utils.images.small import small_picture
from mindzoo.utils.pages.pictures import data_url

SIDE = 96  # of the square that a picture is made to fit into, in pixels


class Album:
    """The images below a folder, as the network saw them: which way up, `orientation` says."""

    def __init__(self, root: Path, orientation: str) -> None:
        self.root, self.orientation = root, orientation
        self.pack: Packed | None = None
        try:
            self.top = resolved(root)
            self.pack = packed.open_pack(root, None, None) if listing.is_pack(root) else None
        except (OSError, UserError, ValueError):  # ValueError: of a name that holds a zero byte
            self.top = root
        self.places = {name: place for place, name in enumerate(self.pack.files)} if self.pack else {}

    def picture(self, name: str) -> str:
        """The image as a data URL; empty where it is not there any more, cannot be read, or lies outside of the folder."""
        try:
            small = small_picture(self._content(name), self.orientation, SIDE)
        except (Fault, OSError):
            return ""
        return data_url(small, SIDE, quality=80)

    def _content(self, name: str) -> bytes:
        if self.pack:
            if name not in self.places:
                raise Fault("is not in the pack")
            return self.pack.content(self.places[name])
        if not is_inside(self.root / name, self.top):
            raise Fault("lies outside of the folder")
        return read_file(self.root / name)
