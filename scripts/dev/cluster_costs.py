"""Writes the cost model in docs/CLUSTERS.md and docs/CLUSTERS_CN.md: what a step costs a cluster, by published step times.

    python scripts/dev/cluster_costs.py [--check]

For N cards, of which each has b images per step of t seconds, and gradients of g bytes (float32):

    images/s of the job          N * b / t
    images/s of a server         min(N, 8) * b / t, which its processor has to decode
    sent per card and step       2 * (N - 1) / N * g, by a ring all-reduce (Patarasuk and Yuan 2009,
                                 https://doi.org/10.1016/j.jpdc.2008.09.002)
    rate that hides it           that over 2/3 * t: gradients travel while the backward pass goes on, which has twice
                                 the products of the forward pass

So t is taken to stay as it is published, which it does only where that rate is reached and the images come in time.
Nothing of it was measured by us. --check changes nothing, and ends with status 1 where a page has another table.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

from mindspore.nn.utils import no_init_parameters  # noqa: E402

from mindzoo.models import SPECS  # noqa: E402
from mindzoo.utils.spec import ModelSpec, PublishedStep  # noqa: E402

CARDS, CARDS_OF_A_SERVER = (1, 8, 64, 512), 8
BYTES, CLASSES = 4, 1000
BACKWARD = 2 / 3  # its share of a step
BEGIN, END = "<!-- costs: written by scripts/dev/cluster_costs.py -->", "<!-- end -->"
DOUBTED = "*"  # behind a step time that may not be one of the network
# By page: the heads of the columns.
PAGES = {
    "docs/CLUSTERS.md": (
        "Network", "ms per step", "Images per card", "Cards", "Images/s", "Images/s to decode per server",
        "Gradients, MB", "Sent per card and step, MB", "GB/s that hide it",
    ),
    "docs/CLUSTERS_CN.md": (
        "网络", "每步毫秒", "每卡图片", "卡数", "图片/秒", "每台服务器需解码的图片/秒", "梯度，MB", "每卡每步发送，MB", "可以掩盖它的 GB/s",
    ),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only name the pages that are out of date")
    options = parser.parse_args()
    rows, late = list(all_rows()), []
    for name, heads in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        wanted = before + table(heads, rows) + rest.partition(END)[2]
        if wanted != text:
            late.append(name)
            if not options.check:
                (ROOT / name).write_text(wanted, encoding="utf-8")
    print("\n".join(f"{name} {'is out of date' if options.check else 'is new'}" for name in late) or "up to date")
    return 1 if options.check and late else 0


def all_rows() -> Iterator[tuple[str, ...]]:
    """The rows of all networks with a published step time."""
    for spec in SPECS.values():
        if spec.published_step:
            size = gradient_bytes(spec)
            yield from (row(spec.name, spec.published_step, size, cards) for cards in CARDS)


def gradient_bytes(spec: ModelSpec) -> int:
    """Of the network as it is published: a float32 per number that is trained."""
    with no_init_parameters():
        network = spec.make(CLASSES, spec.network_options(spec.train_config()))
    return BYTES * sum(int(parameter.size) for parameter in network.trainable_params())


def row(name: str, step: PublishedStep, size: int, cards: int) -> tuple[str, ...]:
    """The cells for one number of cards; `size` is that of the gradients in bytes."""
    per_card, sent = step.images_per_second, sent_bytes(size, cards)
    return (
        f"`{name}`",
        f"{step.milliseconds:.1f}{DOUBTED if step.doubt else ''}",
        str(step.batch_size),
        str(cards),
        f"{cards * per_card:,.0f}",
        f"{min(cards, CARDS_OF_A_SERVER) * per_card:,.0f}",
        f"{size / 1e6:.0f}",
        f"{sent / 1e6:.0f}",
        f"{hiding_rate(sent, step) / 1e9:.1f}",
    )


def sent_bytes(size: int, cards: int) -> float:
    """What each card sends in a ring all-reduce of `size` bytes."""
    return 2 * (cards - 1) / cards * size


def hiding_rate(sent: float, step: PublishedStep) -> float:
    """Bytes per second with which `sent` bytes travel within the backward pass."""
    return sent / (BACKWARD * step.milliseconds / 1000)


def table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    """The table and the marks around it."""
    columns = list(heads)
    lines = [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]
    return "\n".join([BEGIN, "", *lines, "", END])


if __name__ == "__main__":
    sys.exit(main())
