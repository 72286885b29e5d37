"""The reading of blocks for bash, and what is found wrong in them."""

from __future__ import annotations

import pytest

from mindzoo.tests.documents import shell
from mindzoo.tests.documents.shell import CommandError, Line
from mindzoo.tests.support.paths import ROOT

RIGHT = """\
# a comment, with an apostrophe: don't
mindzoo --help; mindzoo list && mindzoo doctor --devices 8
python3 models/densenet121/train.py --data_dir ROOT --batch_size=32 \\
    --config_path digits_cpu  # and one more
cd models/densenet121
DEVICE_TARGET=CPU sh scripts/run_distribute_train.sh 2 hccl_2p.json ROOT --foreground -- --max_epoch 1 >log 2>&1 &
python ../.. launch genet_res50 eval --ranks 8 -- --checkpoint "A file.ckpt"
python -c "
print('--not_a_flag')"
cat >x.py <<'END'
mindzoo --don't
END
pip install --whatever
"""


def test_a_block_is_read_as_bash_reads_it() -> None:
    text = "a 'b # c' d#e # f\n\n# g\nh \\\n  i\nj \"k\nl\" m\ncat <<END\nn 'o\nEND\np\n"
    assert shell.lines(text) == [
        Line(0, "a 'b # c' d#e"),
        Line(3, "h   i"),
        Line(5, 'j "k\nl" m'),
        Line(7, "cat <<END", "n 'o\n"),
        Line(10, "p"),
    ]


def test_the_commands_of_a_line() -> None:
    line = "A=1 B='2 3' run --x 'a b' >log 2>&1 && (next | last C=4) &"
    assert shell.commands(line) == [["run", "--x", "a b", "2"], ["next"], ["last", "C=4"]]


@pytest.mark.parametrize("text", ["echo 'a\n", "echo a \\\n", "cat <<END\na\n"])
def test_what_has_no_end_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="has no end"):
        shell.lines(text)


def test_commands_that_are_right() -> None:
    shell.check_block(RIGHT, ROOT)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("mindzoo trian densenet121", "unknown command trian"),
        ("mindzoo --versoin", "does not know --versoin"),
        ("mindzoo train densenet", "unknown network densenet"),
        ("mindzoo eval densenet121 --data_dri x", "does not know --data_dri"),
        ("mindzoo index x.npy --out y", "does not know --out$|does not know --out:"),
        ("mindzoo train hrnet_w48 --config_path rp2k.yaml", "hrnet_w48 has no recipe rp2k.yaml"),
        ("mindzoo launch densenet121 train --data_dir x", "does not know --data_dir"),
        ("mindzoo launch densenet121 eval -- --max_epoch 1", "mindzoo eval densenet121 does not know --max_epoch"),
        ("python . export densenet121 --flie_format AIR", "does not know --flie_format"),
        ("python models/densenet121/tarin.py", "there is no models/densenet121/tarin.py"),
        ("python models/densenet121/train.py --max_epochs 1", "does not know --max_epochs"),
        ("python train.py", "there is no train.py"),
        ("cd models/densenet121 && python eval.py --max_epoch 1", "does not know --max_epoch"),
        ("python scripts/prepare_digits.py x --seeds 1", "does not know --seeds"),
        ("bash scripts/test.sh --fast", "does not know --fast"),
        ("bash scripts/demo.sh --folders x", "does not know --folders"),
        ("sh models/hrnet_w48/scripts/run_train.sh", "there is no models/hrnet_w48/scripts/run_train.sh"),
        ("bash models/hrnet_w48/scripts/run_eval.sh a b --background", "does not know --background"),
        ("bash models/hrnet_w48/scripts/run_eval.sh a b -- --end_epoch 3", "does not know --end_epoch"),
        ("python my_net_predict.py a.png --top_k 1", "does not know --top_k"),
        ("echo; echo && echo | mindzoo list --all", "does not know --all"),
    ],
)
def test_commands_that_are_wrong(command: str, words: str) -> None:
    with pytest.raises(CommandError, match=words) as error:
        shell.check_block(f"# first\n{command}\n", ROOT)
    assert "line 2 of the block" in str(error.value)
