"""How far long work is: `with progress.of("embed", 1000, "images") as work:` and then `work.advance()`.

How that is shown, and whether at all, the display of the log decides.
"""

from mindzoo.utils.progress.seconds import ticking
from mindzoo.utils.progress.work import BYTES, Work, each, of

__all__ = ["BYTES", "Work", "each", "of", "ticking"]
