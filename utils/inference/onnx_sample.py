"""Names the classes of images with an exported file: python NAME_predict.py IMAGE ...

Written by mindzoo beside NAME.onnx and NAME.onnx.json, for you to change. It needs numpy, onnxruntime and pillow from
11.3, and follows the steps in the .json file.
"""

import hashlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

MODEL = Path(__file__).with_name("NAME.onnx")
TOP_K = 5


def decode(path: str, orient: str) -> np.ndarray:
    """The pixels (H, W, 3) uint8, RGB."""
    with Image.open(path) as image:
        image.load()
        if image.mode in ("I", "F"):
            raise ValueError("it has values of 32 bits, which have no scale")
        if orient == "exif":
            for other in ("xmp", "XML:com.adobe.xmp", "Raw profile type exif"):
                image.info.pop(other, None)  # only the EXIF block counts
            ImageOps.exif_transpose(image, in_place=True)
        if image.mode.startswith("I;16"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        return np.asarray(image.convert("RGB"))


def neighbours(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    """For each new pixel of a row the two old ones around it, and their weights in 1/2048."""
    place = ((np.arange(new) + 0.5) * (1 / (new / old)) - 0.5).astype(np.float32)
    share = place - np.floor(place)
    first = np.floor(place).astype(int)
    weights = np.rint(np.stack([1 - share, share]) * 2048).astype(np.int32)
    return np.clip([first, first + 1], 0, old - 1), weights[..., None]


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear without antialiasing, in whole numbers; Pillow's `resize` gives other pixels."""
    (left, right), (a, b) = neighbours(pixels.shape[1], width)
    (above, below), (c, d) = neighbours(pixels.shape[0], height)
    rows = (pixels[:, left] * a + pixels[:, right] * b) >> 4
    return ((rows[above] * c[..., None] >> 16) + (rows[below] * d[..., None] >> 16) + 2) >> 2


def network_input(path: str, steps: dict[str, Any]) -> np.ndarray:
    """One image as the file's input: the steps that are not inside it."""
    pixels = decode(path, steps["orient"]["mode"])
    rows, columns = pixels.shape[:2]
    wanted, crop = steps["resize"], steps["centre_crop"]
    if wanted["mode"] == "square":
        pixels = resize(pixels, wanted["height"], wanted["width"])
    else:
        shorter = wanted["shorter_side"]
        longer = int(np.float32(max(rows, columns)) / np.float32(min(rows, columns)) * np.float32(shorter))
        pixels = resize(pixels, *((shorter, longer) if rows < columns else (longer, shorter)))
    top, left = (pixels.shape[0] - crop["height"]) // 2, (pixels.shape[1] - crop["width"]) // 2
    pixels = pixels[top : top + crop["height"], left : left + crop["width"]]
    if steps["scale"]["inside"]:
        return pixels[None].astype(np.uint8)
    values = (pixels / 255 - steps["normalise"]["subtract"]) / steps["normalise"]["divide_by"]
    return values.transpose(2, 0, 1)[None].astype(np.float32)


def load(facts: dict[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """The exported network: the input of one image -> its logits (K,)."""
    session = onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])

    def run(image: np.ndarray) -> np.ndarray:
        return np.asarray(session.run([facts["output"]["name"]], {facts["input"]["name"]: image})[0][0])

    return run


def refusal(reason: object) -> SystemExit:
    """The end of this script, with a reason on one line and the status 2."""
    print(" ".join(str(reason).split()), file=sys.stderr)
    return SystemExit(2)


def read_facts() -> dict[str, Any]:
    """What the .json file says of the exported one, which must be the same file still."""
    path = Path(f"{MODEL}.json")
    for needed in (MODEL, path):
        if not needed.is_file():
            raise refusal(f"{needed} is missing; it was written with this script: copy it too")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        schema, wanted = facts["schema"], facts["file"].get("sha256")
        if schema == 2 and wanted and hashlib.sha256(MODEL.read_bytes()).hexdigest() != wanted:
            raise refusal(
                f"{MODEL} is damaged, or was changed: its SHA-256 is not the one in {path.name}; copy it again, or take "
                "sha256 out there if you changed it"
            )
    except OSError as error:
        raise refusal(f"{error.filename} cannot be read: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise refusal(f"{path} is damaged; copy it again") from None
    if schema != 2:
        raise refusal(f"{path} is of schema {schema}, and this script reads schema 2")
    return facts


def main() -> None:
    usage = f"usage: python {Path(__file__).name} IMAGE ..."
    if not sys.argv[1:]:
        raise refusal(usage)
    if sys.argv[1].startswith("-"):
        raise refusal(f"{sys.argv[1]} is no image; {usage}")
    facts = read_facts()
    # A name that the console cannot show is no reason to stop.
    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, sys.stdout.encoding, "backslashreplace", line_buffering=True)
    steps = {step["step"]: step for step in facts["preprocessing"]["steps"]}
    try:
        run = load(facts)
    except Exception as error:  # of a version that does not know the file: each has errors of its own
        raise refusal(
            f"{MODEL} cannot be loaded: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
        ) from None
    unread = 0
    for path in sys.argv[1:]:
        try:
            image = network_input(path, steps)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:  # the third of a damaged PNG
            print(f"{path} cannot be read: {error}", file=sys.stderr)
            unread += 1
            continue
        logits = run(image)
        powers = np.exp(logits - logits.max())
        probabilities = powers / powers.sum()
        best = np.argsort(-probabilities, kind="stable")[:TOP_K]
        print(f"{path}: " + ", ".join(f"{facts['classes'][i]} {probabilities[i]:.1%}" for i in best))
    if unread:
        raise refusal(f"{unread} of {len(sys.argv) - 1} images cannot be read")


if __name__ == "__main__":
    main()
