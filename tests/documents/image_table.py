"""What each command does with each kind of image file: made here, tried here, and written into docs/IMAGES.md.

python tests/documents/image_table.py [--write]
"""

from __future__ import annotations

import functools
import io
import os
import runpy
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

runpy.run_path(str(Path(__file__).resolve().parents[2] / "utils" / "importable.py"), run_name="importable")

import numpy as np  # noqa: E402
from mindspore.dataset import vision  # noqa: E402
from PIL import Image  # noqa: E402

from mindzoo.tests.support import image_kinds  # noqa: E402
from mindzoo.tests.support.image_kinds import png_chunk  # noqa: E402
from mindzoo.tests.support.paths import ROOT  # noqa: E402
from mindzoo.utils.data import bad_images, class_folders, listing, look, transforms  # noqa: E402
from mindzoo.utils.data.loader import EvalData, TrainData  # noqa: E402
from mindzoo.utils.errors import UserError  # noqa: E402
from mindzoo.utils.retrieval.encoder import Encoder  # noqa: E402
from mindzoo.utils.runtime import World  # noqa: E402

SIDE = 32
BEGIN, END = "<!-- begin: table of files -->", "<!-- end: table of files -->"
HEADS = {
    "IMAGES.md": ("File", "train, eval", "predict, embed, query", "exported sample", "Pixels, or what is said"),
    "IMAGES_CN.md": ("文件", "train、eval", "predict、embed、query", "导出的示例脚本", "像素，或给出的提示"),
}
PLAIN = transforms.Preprocessing((SIDE, SIDE), 1.0, "square", (0.0,) * 3, (1 / 255,) * 3)
Maker = Callable[[Path], object]


def saved(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    picture().convert(mode).save(file, kind, **options)
    return file.getvalue()


def picture() -> Image.Image:
    """Of the size that the network takes, so that the decoded pixels are what is compared."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    return Image.fromarray(np.stack([x * 8, y * 8, (x + y) * 4], 2).astype(np.uint8))


def turned(kind: str, **options: Any) -> bytes:
    """With a camera's mark that asks for a quarter turn."""
    exif = Image.Exif()
    exif[image_kinds.ORIENTATION] = 6
    return saved(kind, exif=exif, **options)


def damaged_huffman() -> bytes:
    content = bytearray(saved("JPEG"))
    at = content.index(b"\xff\xc4")
    content[at + 5 : at + 21] = b"\xff" * 16
    return bytes(content)


def png_with(extra: bytes) -> bytes:
    """A PNG file with one more chunk behind its header."""
    content = saved("PNG")
    return content[:33] + extra + content[33:]


def png_sized(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")


def sixteen(color: int, channels: int) -> bytes:
    samples = np.arange(SIDE * SIDE * channels, dtype=np.uint16).reshape(SIDE, SIDE, channels) * 21
    return image_kinds.png(samples, color)


def values(dtype: type) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(SIDE * SIDE).reshape(SIDE, SIDE).astype(dtype)).save(file, "TIFF")
    return file.getvalue()


def two(kind: str) -> bytes:
    return saved(kind, save_all=True, append_images=[Image.new("RGB", (SIDE, SIDE))])


def many_pixels() -> bytes:
    """A JPEG file that says that it is larger than it is."""
    content = saved("JPEG")
    at = content.index(b"\xff\xc0")
    return content[: at + 5] + struct.pack(">HH", 65500, 65500) + content[at + 9 :]


JPEG, PNG, BMP = saved("JPEG"), saved("PNG"), saved("BMP")
# File name: (its content, what it is, the same in Chinese).
FILES: dict[str, tuple[bytes, str, str]] = {
    "1.jpg": (JPEG, "JPEG", "JPEG"),
    "2.jpg": (saved("JPEG", progressive=True), "JPEG, progressive", "渐进式 JPEG"),
    "3.jpg": (saved("JPEG", "L"), "JPEG, grey", "灰度 JPEG"),
    "4.jpg": (saved("JPEG", "CMYK"), "JPEG, CMYK with Adobe's mark", "带 Adobe 标记的 CMYK JPEG"),
    "5.jpg": (image_kinds.without_adobe(saved("JPEG", "CMYK")), "JPEG, CMYK without Adobe's mark", "不带 Adobe 标记的 CMYK JPEG"),
    "6.jpg": (two("MPO"), "JPEG with a second picture (MPO)", "含第二张图的 JPEG（MPO）"),
    "7.png": (JPEG, "JPEG that is called .png", "名为 .png 的 JPEG"),
    "8.jfif": (JPEG, "JPEG that is called .jfif or .jpe", "名为 .jfif 或 .jpe 的 JPEG"),
    "9.jpg": (JPEG + b"more" * 9, "JPEG with bytes behind its end", "结尾之后还有字节的 JPEG"),
    "10.jpg": (turned("JPEG"), "JPEG with a camera's mark", "带相机方向标记的 JPEG"),
    "11.jpg": (JPEG[:-2], "JPEG without its end marker", "缺少结束标记的 JPEG"),
    "12.jpg": (JPEG[: len(JPEG) // 2], "JPEG, half of it", "只有一半的 JPEG"),
    "13.jpg": (JPEG[:300], "JPEG, its head alone", "只有头部的 JPEG"),
    "14.jpg": (damaged_huffman(), "JPEG with a damaged table", "表损坏的 JPEG"),
    "15.jpg": (many_pixels(), "JPEG that says it has 4,290 million pixels", "声称有 42.9 亿像素的 JPEG"),
    "16.png": (PNG, "PNG", "PNG"),
    "17.png": (saved("PNG", "L"), "PNG, grey", "灰度 PNG"),
    "18.png": (saved("PNG", "RGBA"), "PNG with transparency", "带透明度的 PNG"),
    "19.png": (saved("PNG", "P", transparency=3), "PNG, palette with a transparent colour", "调色板 PNG，含透明色"),
    "20.png": (saved("PNG", "1"), "PNG, 1 bit", "1 位 PNG"),
    "21.png": (sixteen(0, 1), "PNG, grey, 16 bits", "16 位灰度 PNG"),
    "22.png": (sixteen(2, 3), "PNG, 16 bits", "16 位 PNG"),
    "23.png": (png_with(png_chunk(b"iCCP", b"x\0\0bad")), "PNG with a damaged colour profile", "颜色配置损坏的 PNG"),
    "24.png": (turned("PNG"), "PNG with a camera's mark", "带相机方向标记的 PNG"),
    "25.png": (two("PNG"), "PNG, animated", "动画 PNG"),
    "26.png": (PNG[: len(PNG) * 2 // 3], "PNG, cut off", "被截断的 PNG"),
    "27.png": (PNG[:33] + b"\x7f" + PNG[34:], "PNG with a damaged length", "长度损坏的 PNG"),
    "28.png": (PNG[:60] + bytes([PNG[60] ^ 255]) + PNG[61:], "PNG with a damaged byte", "有一个字节损坏的 PNG"),
    "29.png": (png_sized(30000, 30000), "PNG of 30000 x 30000 pixels", "30000 x 30000 像素的 PNG"),
    "30.bmp": (BMP, "BMP", "BMP"),
    "31.bmp": (saved("BMP", "P"), "BMP, palette", "调色板 BMP"),
    "32.bmp": (BMP[: len(BMP) * 2 // 3], "BMP, cut off", "被截断的 BMP"),
    "33.tif": (saved("TIFF"), "TIFF", "TIFF"),
    "34.tif": (saved("TIFF", compression="tiff_lzw"), "TIFF, packed (LZW)", "压缩的 TIFF（LZW）"),
    "35.tif": (saved("TIFF", "CMYK"), "TIFF, CMYK", "CMYK TIFF"),
    "36.tif": (values(np.uint16), "TIFF, 16 bits", "16 位 TIFF"),
    "37.tif": (values(np.float32), "TIFF, 32-bit float", "32 位浮点 TIFF"),
    "38.tif": (values(np.int32), "TIFF, 32-bit integers", "32 位整数 TIFF"),
    "39.tif": (two("TIFF"), "TIFF of several pages", "多页 TIFF"),
    "40.tif": (turned("TIFF"), "TIFF with a mark of its orientation", "带方向标记的 TIFF"),
    "41.gif": (saved("GIF"), "GIF", "GIF"),
    "42.gif": (two("GIF"), "GIF, animated", "动画 GIF"),
    "43.webp": (saved("WEBP", lossless=True), "WebP", "WebP"),
    "44.webp": (two("WEBP"), "WebP, animated", "动画 WebP"),
    "45.webp": (saved("WEBP", "RGBA", lossless=True), "WebP with transparency", "带透明度的 WebP"),
    "46.jpg": (saved("AVIF"), "AVIF that is called .jpg", "名为 .jpg 的 AVIF"),
    "47.jpg": (b"\0\0\0\x18ftypheic" + bytes(12), "HEIC that is called .jpg", "名为 .jpg 的 HEIC"),
    "48.jpg": (saved("JPEG2000"), "JPEG 2000 that is called .jpg", "名为 .jpg 的 JPEG 2000"),
    "49.jpg": (b"", "an empty file", "空文件"),
    "50.jpg": (bytes(4000), "zeros", "全为零的文件"),
    "51.jpg": (b"<!DOCTYPE html><html>" * 9, "a web page that is called .jpg", "名为 .jpg 的网页"),
    "52.heic": (b"\0\0\0\x18ftypheic" + bytes(12), "HEIC, AVIF, JPEG 2000 by their own names", "使用本名的 HEIC、AVIF、JPEG 2000"),
    "53": (JPEG, "JPEG without a suffix", "没有后缀的 JPEG"),
    "._54.jpg": (b"\0\5\x16\7" + bytes(90), "a hidden file, such as macOS leaves", "隐藏文件，例如 macOS 留下的"),
}  # fmt: skip
# What is no file, and what makes it.
OTHERS: dict[str, tuple[Maker, str, str]] = {
    "55.jpg": (lambda path: path.symlink_to("/nowhere"), "a link that leads nowhere", "指向不存在位置的链接"),
    "56.jpg": (os.mkfifo, "a pipe", "管道"),
}


@functools.cache
def rows() -> list[tuple[list[str], list[str]]]:
    """The cells of each file, in English and in Chinese."""
    return list(tried())


def tried() -> Iterator[tuple[list[str], list[str]]]:
    sample = runpy.run_path(str(ROOT / "utils" / "inference" / "onnx_sample.py"))["decode"]
    listed: dict[str, tuple[bytes | Maker, str, str]] = {**FILES, **OTHERS}
    for name, (make, english, translated) in listed.items():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "data"
            for label in ("a", "b"):
                (root / label).mkdir(parents=True)
                (root / label / "0.png").write_bytes(PNG)
            path = root / "b" / name
            path.write_bytes(make) if isinstance(make, bytes) else make(path)
            found = {reader.__name__: outcome(reader, root, name) for reader in (train, evaluate, predict, embed)}
            found["sample"] = sampled(sample, path)
            yield [english, *verdicts(found, path, False)], [translated, *verdicts(found, path, True)]


def outcome(reader: Callable[[Path, str], np.ndarray | None], root: Path, name: str) -> np.ndarray | str | None:
    """The pixels, the sentence without the file's name and the remedy, or None where the file is left out."""
    try:
        return reader(root, name)
    except UserError as error:
        return (
            str(error).replace(f"{root / 'b' / name} ", "").split(f"; {bad_images.REMEDY}")[0].split("; remove it")[0]
        )


def train(root: Path, name: str) -> np.ndarray | None:
    folders = class_folders.scan(root)
    operations = [look.Prepare("stored"), vision.RandomCropDecodeResize((SIDE, SIDE), (1.0, 1.0), (1.0, 1.0))]
    data = TrainData(folders, operations, batch_size=len(folders), world=World(), seed=1, workers=1)
    with bad_images.named(folders):
        images = next(iter(data.epoch(0).create_tuple_iterator(num_epochs=1, output_numpy=True)))[0]
    order = data.order(0)[0].tolist()
    return images[order.index(folders.files.index(f"b/{name}"))] if f"b/{name}" in folders.files else None


def evaluate(root: Path, name: str) -> np.ndarray | None:
    folders = class_folders.scan(root)
    data = EvalData(folders, transforms.evaluation_operations(PLAIN), batch_size=len(folders), world=World(), workers=1)
    images = next(iter(data))[0].asnumpy()
    return hwc(images[folders.files.index(f"b/{name}")]) if f"b/{name}" in folders.files else None


def predict(root: Path, name: str) -> np.ndarray | None:
    if f"b/{name}" not in listing.images_below(root):
        return None
    return hwc(transforms.load_image(root / "b" / name, PLAIN))


def embed(root: Path, name: str) -> np.ndarray | None:
    encoder: Any = Encoder.__new__(Encoder)
    encoder.how, encoder.marks = PLAIN, look.Marks()
    if f"b/{name}" not in listing.images_below(root):
        return None
    found = encoder._load(root / "b" / name)
    if isinstance(found, str):
        raise UserError(found.removeprefix("it "))
    return hwc(found)


def hwc(image: np.ndarray) -> np.ndarray:
    """(3, H, W) of 0..255 -> (H, W, 3) uint8."""
    return np.rint(image).astype(np.uint8).transpose(1, 2, 0)


def sampled(decode: Callable[[str, str], np.ndarray], path: Path) -> np.ndarray | str:
    if not path.is_file():
        return "refused"
    try:
        return decode(str(path), "stored")
    except Exception as error:  # what Pillow raises is the sample's affair
        return f"refused: {error}"


def verdicts(found: dict[str, Any], path: Path, chinese: bool) -> list[str]:
    """The cells behind the first one. The four commands must agree."""
    words = dict(zip(("read", "refused", "left out"), ("读取", "拒绝", "不使用") if chinese else (), strict=False))
    first = found["predict"]
    for name in ("train", "evaluate", "embed"):
        other = found[name]
        same = np.array_equal(other, first) if isinstance(first, np.ndarray) else other == first
        if not same:
            raise AssertionError(f"{path.name}: predict {first!r:.200}, {name} {other!r:.200}")
    kind = "left out" if first is None else "refused" if isinstance(first, str) else "read"
    sample = "refused" if isinstance(found["sample"], str) else "read"
    said = first if isinstance(first, str) else ""
    if isinstance(first, np.ndarray):
        if sample == "read" and not np.array_equal(found["sample"], first):
            raise AssertionError(f"{path.name}: the sample sees other pixels")
        said = pixels(first, path, chinese)
    return [*(words.get(word, word) for word in (kind, kind, sample)), said]


def pixels(found: np.ndarray, path: Path, chinese: bool) -> str:
    """How the pixels are those of Pillow."""
    with Image.open(path) as image:
        sixteen_bits = image.mode.startswith("I;16")
        wanted = np.asarray(image).astype(int) >> 8 if sixteen_bits else np.asarray(image.convert("RGB"))
    wanted = np.repeat(wanted[:, :, None], 3, 2) if wanted.ndim == 2 else wanted
    if not np.array_equal(found, wanted):
        raise AssertionError(f"{path.name}: Pillow sees other pixels")
    if sixteen_bits:
        return "每个值的高字节" if chinese else "the upper byte of each value"
    return '与 Pillow 的 `convert("RGB")` 相同' if chinese else 'as Pillow\'s `convert("RGB")`'


def table(page: str) -> str:
    """The table of a page, as Markdown."""
    head = HEADS[page]
    cells = [list(head), ["---"] * len(head), *(row[page.endswith("_CN.md")] for row in rows())]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def replaced(page: str) -> str:
    """The text of a page with the table as it is now."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table(page)}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    for one in HEADS:
        if "--write" in sys.argv:
            (ROOT / "docs" / one).write_text(replaced(one), encoding="utf-8")
        else:
            print(table(one))
