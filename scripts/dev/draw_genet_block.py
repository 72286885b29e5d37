"""Draw the Gather-Excite block, its variants and its two learnt gathers: models/genet_res50/img/resblock.png.

python scripts/dev/draw_genet_block.py [FILE]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

TARGET = Path(__file__).resolve().parents[2] / "models" / "genet_res50" / "img" / "resblock.png"
SIZE = (1500, 1000)
# Everything is drawn so much larger and then reduced, which smooths the lines.
SCALE = 3
INK, GREY, PAPER, PANEL = "#1f2933", "#66727f", "#ffffff", "#f4f6f8"
CONVOLUTION, GATHER, EXCITE, PLAIN = "#cfe2f7", "#fbdcb8", "#d3edcf", "#e3e6ea"
BOX = (220, 52)
Point = tuple[float, float]


class Canvas:
    """A drawing in the units of SIZE; boxes are placed by their centres."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (SIZE[0] * SCALE, SIZE[1] * SCALE), PAPER)
        self.draw = ImageDraw.Draw(self.image)

    def text(self, at: Point, words: str, size: int = 16, color: str = INK, anchor: str = "mm") -> None:
        font = ImageFont.load_default(size * SCALE)
        self.draw.text(_scaled(at), words, fill=color, font=font, anchor=anchor)

    def panel(self, left: float, top: float, right: float, bottom: float, heading: str) -> None:
        self.draw.rounded_rectangle((*_scaled((left, top)), *_scaled((right, bottom))), 12 * SCALE, fill=PANEL)
        self.text((left + 22, top + 30), heading, 21, anchor="lm")

    def box(self, at: Point, words: str, color: str, width: float = BOX[0], height: float = BOX[1]) -> None:
        corners = (at[0] - width / 2, at[1] - height / 2), (at[0] + width / 2, at[1] + height / 2)
        self.draw.rounded_rectangle((*_scaled(corners[0]), *_scaled(corners[1])), 7 * SCALE, color, INK, SCALE * 3 // 2)
        lines = words.split("\n")
        for number, line in enumerate(lines):
            self.text((at[0], at[1] + 21 * (number - (len(lines) - 1) / 2)), line)

    def sign(self, at: Point, kind: str) -> None:
        """A circle with a plus, or with a cross for a product."""
        radius, arm = 15, 8.0 if kind == "plus" else 6.0
        corners = (at[0] - radius, at[1] - radius), (at[0] + radius, at[1] + radius)
        self.draw.ellipse((*_scaled(corners[0]), *_scaled(corners[1])), PAPER, INK, SCALE * 3 // 2)
        strokes = [((-1, 0), (1, 0)), ((0, -1), (0, 1))] if kind == "plus" else [((-1, -1), (1, 1)), ((-1, 1), (1, -1))]
        for start, end in strokes:
            ends = [(at[0] + arm * x, at[1] + arm * y) for x, y in (start, end)]
            self.draw.line([_scaled(point) for point in ends], INK, 2 * SCALE)

    def arrow(self, *points: Point) -> None:
        """A line through `points`, of horizontal and vertical parts, with a head at its end."""
        self.draw.line([_scaled(point) for point in points], INK, SCALE * 3 // 2)
        (x0, y0), (x, y) = points[-2:]
        dx, dy = (x > x0) - (x < x0), (y > y0) - (y < y0)
        head = [(x, y), (x - 10 * dx + 5 * dy, y - 10 * dy + 5 * dx), (x - 10 * dx - 5 * dy, y - 10 * dy - 5 * dx)]
        self.draw.polygon([_scaled(point) for point in head], INK)

    def column(self, x: float, top: float, cells: Sequence[tuple[str, str]], step: float) -> float:
        """Boxes below each other with arrows between; an empty colour is plain text. Returns the last one's centre."""
        for number, (words, color) in enumerate(cells):
            y = top + number * step
            if color:
                self.box((x, y), words, color)
            else:
                self.text((x, y), words)
            if number:
                above = cells[number - 1][1]
                self.arrow((x, y - step + (BOX[1] / 2 if above else 13)), (x, y - (BOX[1] / 2 if color else 13)))
        return top + (len(cells) - 1) * step

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        small = self.image.resize(SIZE, Image.Resampling.LANCZOS)
        small.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", default=TARGET, help="the PNG file to write")
    canvas = Canvas()
    draw_block(canvas)
    draw_variants(canvas)
    draw_gathers(canvas)
    canvas.save(parser.parse_args().file)
    return 0


def draw_block(canvas: Canvas) -> None:
    """The bottleneck, its scaled residual and its shortcut."""
    canvas.panel(20, 20, 520, 980, "Gather-Excite block")
    x, side, shortcut = 180, 400, 50
    convolutions = [("1x1 conv, BN, ReLU", CONVOLUTION), ("3x3 conv, BN, ReLU", CONVOLUTION)]
    cells = [("input", ""), *convolutions, ("1x1 conv, BN", CONVOLUTION)]
    bottom = canvas.column(x, 100, cells, 105)
    canvas.text((x + 118, 310), "stride of the layer", 14, GREY, "lm")
    canvas.text((x + 118, 415), "residual: C x H x W", 14, GREY, "lm")

    product, plus = (x, 735), (x, 815)
    canvas.arrow((x, bottom + BOX[1] / 2), (x, product[1] - 15))
    branch = 475
    canvas.arrow((x, branch), (side, branch), (side, 533 - BOX[1] / 2))
    canvas.box((side, 533), "gather", GATHER, 150)
    canvas.arrow((side, 533 + BOX[1] / 2), (side, 622 - BOX[1] / 2))
    canvas.text((side + 12, 576), "C x 1 x 1", 14, GREY, "lm")
    canvas.box((side, 622), "excite", EXCITE, 150)
    canvas.arrow((side, 622 + BOX[1] / 2), (side, product[1]), (x + 15, product[1]))
    canvas.text((side - 95, product[1] - 14), "gate", 14, GREY)
    canvas.sign(product, "product")
    canvas.arrow((x, product[1] + 15), (x, plus[1] - 15))
    canvas.sign(plus, "plus")
    canvas.arrow((x, 130), (shortcut, 130), (shortcut, plus[1]), (x - 15, plus[1]))
    canvas.text((shortcut + 10, 605), "shortcut;", 14, GREY, "lm")
    canvas.text((shortcut + 10, 625), "1x1 conv, BN", 14, GREY, "lm")
    canvas.text((shortcut + 10, 645), "in a layer's", 14, GREY, "lm")
    canvas.text((shortcut + 10, 665), "first block", 14, GREY, "lm")
    canvas.arrow((x, plus[1] + 15), (x, 885 - BOX[1] / 2))
    canvas.box((x, 885), "ReLU", PLAIN, 110)
    canvas.arrow((x, 885 + BOX[1] / 2), (x, 942))
    canvas.text((x, 955), "output")


def draw_variants(canvas: Canvas) -> None:
    """What gathers and what excites in the paper's three variants."""
    canvas.panel(540, 20, 1480, 480, "Gather and excite: three variants")
    variants = {
        "GE-theta-": ("extra=False, mlp=False", ["mean"]),
        "GE-theta": ("extra=True, mlp=False", ["learnt"]),
        "GE-theta+": ("extra=True, mlp=True", ["learnt", "mlp"]),
    }
    boxes = {
        "mean": ("mean over H x W", GATHER),
        "learnt": ("learnt gather", GATHER),
        "mlp": ("MLP", EXCITE),
    }
    for number, (name, (flags, parts)) in enumerate(variants.items()):
        x = 700 + 310 * number
        canvas.text((x, 100), name, 19)
        canvas.text((x, 125), flags, 14, GREY)
        middle = [boxes[part] for part in parts]
        canvas.column(x, 165, [("residual", ""), *middle, ("sigmoid", EXCITE), ("gate: C x 1 x 1, in 0..1", "")], 72)


def draw_gathers(canvas: Canvas) -> None:
    """The learnt gather of the zoo and of the paper, and their MLP."""
    canvas.panel(540, 500, 1480, 980, "Learnt gather and MLP (kernels for 224 x 224 images)")
    whole = "depthwise conv, BN"
    columns = [
        ('gather="zoo", layer 1', [("3x3 conv, stride 2, BN", CONVOLUTION), (f"{whole}\n28x28", GATHER)]),
        ('gather="zoo", layers 2, 3, 4', [(f"{whole}\n28x28, 14x14, 7x7", GATHER)]),
        (
            'gather="paper", layers 1 to 4',
            [(f"{whole}\n56x56, 28x28, 14x14, 7x7", GATHER), ("ReLU, if an MLP follows", PLAIN)],
        ),
    ]
    for number, (name, cells) in enumerate(columns):
        x = 700 + 310 * number
        canvas.text((x, 578), name, 17)
        canvas.column(x, 618, [("residual", ""), *cells, ("gathered: C x 1 x 1", "")], 80)
    y = 932
    canvas.text((560, y), "MLP", 17, anchor="lm")
    places = [
        (740, "1x1 conv, C to C/16", CONVOLUTION),
        (945, "ReLU", PLAIN),
        (1150, "1x1 conv, C/16 to C", CONVOLUTION),
    ]
    for x, words, color in places:
        canvas.box((x, y), words, color, 110 if words == "ReLU" else BOX[0])
    canvas.arrow((850, y), (890, y))
    canvas.arrow((1000, y), (1040, y))
    canvas.text((1285, y - 11), "zoo: without bias", 14, GREY, "lm")
    canvas.text((1285, y + 11), "paper: with bias", 14, GREY, "lm")


def _scaled(point: Point) -> Point:
    return point[0] * SCALE, point[1] * SCALE


if __name__ == "__main__":
    raise SystemExit(main())
