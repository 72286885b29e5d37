"""The shell launchers of the original READMEs: arguments, refusals, folders, logs and lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from mindzoo.tests.support import launched, rank_tables
from mindzoo.tests.support.launched import PATIENCE
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import tiny
from mindzoo.utils.launch import processes

CPU = {"DEVICE_TARGET": "CPU", "PYTHON": launched.LAUNCH[0]}
TRAIN_FLAGS = ["--batch_size", "6", "--workers", "1", "--lr", "0.01", "--max_epoch", "1", "--crop_scale", "0.5,1"]


@dataclass(frozen=True)
class Launcher:
    """One script: its arguments as words of which some are replaced, and what its README and usage text say."""

    script: str
    words: str
    usage: str
    missing: tuple[tuple[str, str], ...]  # word that is replaced by a path that is not there, and the error
    log: str
    line: str  # regular expression of a line in the log
    env: str = ""
    link: str = ""  # another path to the log
    printed: str = ""
    foreground: bool = False  # without being told

    @property
    def network(self) -> str:
        return self.script.split("/")[0]

    @property
    def family(self) -> tuple[str, str]:
        """The launchers that use each other's results."""
        return self.network, "GPU" if "_gpu" in self.script else "Ascend"

    @property
    def path(self) -> Path:
        return ROOT / "models" / self.script.replace("/", "/scripts/")


DENSENET = "epoch\\[0\\], iter\\[\\d\\], loss:[\\d.]+, mean_fps:"
GENET = "epoch: 1 step: \\d, loss is [\\d.]+"
HRNET = "epoch: \\[ 1/ 1\\], epoch time: [\\d.]+, steps: +\\d, per step time:"
GLORE = "epoch:1 step:\\d, loss is [\\d.]+"
MULTIGRAIN = "epoch: 1 step: \\d, loss is [\\d.]+"
DISTRIBUTED = [
    Launcher(
        "densenet121/run_distribute_train.sh", "NUMBER TABLE TRAIN",
        "sh scripts/run_distribute_train.sh [DEVICE_NUM] [RANK_TABLE_FILE] [DATASET] [CKPT_FILE](optional)",
        (("TABLE", "RANK_TABLE_FILE={} is not a file"), ("TRAIN", "DATASET={} is not a directory")),
        "train_{rank}/log.txt", DENSENET, "train_{rank}/env.log", "train{rank}/log.txt",
        "After running the script, the network runs in the background. The log will be generated in train_x/log.txt",
    ),
    Launcher(
        "genet_res50/run_distribute_train.sh", "TABLE TRAIN True True",
        "bash run_distribute_train.sh [RANK_TABLE_FILE] [DATASET_PATH] [MLP] [EXTRA] [PRETRAINED_CKPT_PATH](optional)",
        (("TABLE", "RANK_TABLE_FILE={} is not a file"), ("TRAIN", "DATASET_PATH={} is not a directory")),
        "train_parallel{rank}/log", GENET, "train_parallel{rank}/env.log", "train/device{rank}/train.log",
        "start training for rank 0, device 0",
    ),
    Launcher(
        "glore_res50/run_distribute_train.sh", "TRAIN NUMBER",
        "sh run_distribute_train.sh [DATA_PATH] [DEVICE_NUM]", (("TRAIN", "DATA_PATH={} is not a directory"),),
        "device{rank}/train{rank}.log", GLORE, "device{rank}/env{rank}.log", "", "training in the background.",
    ),
    Launcher(
        "hrnet_w48/run_distribute_train.sh", "TABLE TRAIN OUTPUT",
        "bash scripts/run_distribute_train.sh [RANK_TABLE_FILE] [DATASET_PATH] [TRAIN_OUTPUT_PATH] "
        "[CHECKPOINT_PATH](optional) [BEGIN_EPOCH](optional) [EVAL_DATASET_PATH](optional)",
        (("TABLE", "RANK_TABLE_FILE={} is not a file."), ("TRAIN", "DATA_PATH={} is not a directory.")),
        "train_parallel{rank}/log", HRNET, "train_parallel{rank}/env.log", "", "Start training for rank 0, device 0.",
    ),
    Launcher(
        "multigrain/run_distribute_train.sh", "TABLE TRAIN NUMBER",
        "bash run_distribute_train.sh [RANK_TABLE_FILE] [DATASET_PATH] [DEVICE_NUM]",
        (("TABLE", "RANK_TABLE_FILE={} is not a file"), ("TRAIN", "DATASET_PATH={} is not a directory")),
        "train_parallel{rank}/log", MULTIGRAIN, "train_parallel{rank}/env.log",
    ),
    Launcher(
        "multigrain/run_distribute_train_gpu.sh", "TRAIN NUMBER",
        "bash run_distribute_train_gpu.sh [DATASET_PATH] [DEVICE_NUM]", (("TRAIN", "DATASET_PATH={} is not a directory"),),
        "train_parallel/rank{rank}/log", MULTIGRAIN, "train_parallel/rank{rank}/env.log",
        "train_parallel/log_output/rank.{rank}/log",
    ),
]  # fmt: skip
ALONE = [
    Launcher(
        "genet_res50/run_train.sh", "TRAIN True True 0",
        "bash run_train.sh [DATASET_PATH] [MLP] [EXTRA] [DEVICE_ID] [PRETRAINED_CKPT_PATH](optional)",
        (("TRAIN", "DATASET_PATH={} is not a directory"),), "train_standalone/log", GENET, "train_standalone/env.log",
    ),
    Launcher(
        "glore_res50/run_standalone_train.sh", "TRAIN 0",
        "sh run_standalone_train.sh [DATA_PATH] [DEVICE_ID]", (("TRAIN", "DATA_PATH={} is not a directory"),),
        "train/train_alone.log", GLORE, "train/env0.log", "", "training success", foreground=True,
    ),
    Launcher(
        "hrnet_w48/run_standalone_train.sh", "TRAIN OUTPUT",
        "bash scripts/run_standalone_train.sh [DATASET_PATH] [TRAIN_OUTPUT_PATH] "
        "[CHECKPOINT_PATH](optional) [BEGIN_EPOCH](optional) [EVAL_DATASET_PATH](optional)",
        (("TRAIN", "DATA_PATH={} is not a directory."),), "log", HRNET,
    ),
    *(
        Launcher(
            f"multigrain/run_standalone_train{on}.sh", "TRAIN",
            f"bash run_standalone_train{on}.sh [DATASET_PATH] [CONFIG_PATH](optional)",
            (("TRAIN", "DATASET_PATH={} is not a directory"),), "train/log", MULTIGRAIN, "train/env.log",
        )
        for on in ("", "_gpu")
    ),
]  # fmt: skip
EVALUATING = [
    Launcher(
        "densenet121/run_distribute_eval.sh", "NUMBER TABLE VAL CHECKPOINT",
        "sh scripts/run_distribute_eval.sh [DEVICE_NUM] [RANK_TABLE_FILE] [DATASET] [CKPT_PATH]",
        (("TABLE", "RANK_TABLE_FILE={} is not a file"), ("CHECKPOINT", "CKPT_PATH={} is not a file")),
        "eval_{rank}/log.txt", "after allreduce eval: top1_correct=\\d+, tot=13, acc=", "eval_{rank}/env.log", "",
        "After running the script, the network runs in the background. The log will be generated in eval_x/log.txt",
    ),
    Launcher(
        "genet_res50/run_eval.sh", "Ascend VAL CHECKPOINT True True 0",
        "bash run_eval.sh [DATASET_PATH] [CHECKPOINT_PATH] [MLP] [EXTRA] [DEVICE_ID]",
        (("VAL", "DATASET_PATH={} is not a directory"), ("CHECKPOINT", "CHECKPOINT_PATH={} is not a file")),
        "eval/log", "result: {'top_5_accuracy': 1.0, 'top_1_accuracy': [\\d.]+} ckpt= /", "eval/env.log",
    ),
    Launcher(
        "glore_res50/run_eval.sh", "VAL 0 CHECKPOINT",
        "sh run_eval.sh [DATA_PATH] [DEVICE_ID] [CKPT_PATH]",
        (("VAL", "DATA_PATH={} is not a directory"), ("CHECKPOINT", "CKPT_PATH={} is not a file")),
        "eval/eval.log", "{'Accuracy': [\\d.]+}", "eval/env0.log", "", "evaling success", foreground=True,
    ),
    Launcher(
        "hrnet_w48/run_eval.sh", "VAL CHECKPOINT", "bash scripts/run_eval.sh [DATASET_PATH] [CHECKPOINT_PATH]",
        (("VAL", "DATA_PATH={} is not a directory."), ("CHECKPOINT", "CKPT_PATH={} is not a file.")),
        "eval_log", "{'Loss': [\\d.]+, 'Top_1_Acc': [\\d.]+, 'Top_5_Acc': 1.0}",
    ),
    *(
        Launcher(
            f"multigrain/run_eval{on}.sh", "VAL CHECKPOINT",
            f"bash run_eval{on}.sh [DATASET_PATH] [CHECKPOINT_PATH]",
            (("VAL", "DATASET_PATH={} is not a directory"), ("CHECKPOINT", "CHECKPOINT_PATH={} is not a file")),
            "eval/log", "result: {'top_1_accuracy': [\\d.]+, 'top_5_accuracy': [\\d.]+} ckpt= /", "eval/env.log",
        )
        for on in ("", "_gpu")
    ),
]  # fmt: skip
LAUNCHERS = [*DISTRIBUTED, *ALONE, *EVALUATING]
FAMILIES = sorted({launcher.family for launcher in LAUNCHERS})
SHELLS = ("bash", "sh")
# The two graphs of multigrain's default, THOR, take long to compile: of a part of the network, and by the launchers for Ascend only.
QUICK = {("multigrain", "Ascend"): ["--freeze", "layer*"], ("multigrain", "GPU"): ["--optimizer", "momentum"]}


def by_script(launcher: Launcher) -> str:
    return launcher.script


def arguments(launcher: Launcher, data: Path, folder: Path, ranks: int = 2) -> dict[str, str]:
    """The launcher's words, with what they are replaced by."""
    table = folder / f"hccl_{ranks}p.json"
    rank_tables.write(table, rank_tables.table("127.0.0.1", count=ranks))
    meaning = {
        "NUMBER": str(ranks),
        "TABLE": table.name,  # relative, as in the READMEs
        "TRAIN": str(data / "train"),
        "VAL": str(data / "val"),
        "OUTPUT": "output",
        "CHECKPOINT": next((str(path) for path in folder.rglob("*[-_]1[-_]*.ckpt")), "no.ckpt"),
    }
    return {word: meaning.get(word, word) for word in dict.fromkeys(launcher.words.split())}


def words_of(launcher: Launcher, meaning: dict[str, str]) -> list[str]:
    return [meaning[word] for word in launcher.words.split()]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("launcher", LAUNCHERS, ids=by_script)
def test_a_wrong_number_of_arguments_prints_the_usage(launcher: Launcher, shell: str, tmp_path: Path) -> None:
    too_few = ["x"] * (launcher.usage.count("[") - launcher.usage.count("](optional)") - 1)
    for words in ([], ["--foreground"], too_few, ["x"] * 9, [*too_few, "--", *"abcdef"]):
        done = launched.run([shell, launcher.path, *words], tmp_path, **CPU)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Usage: {launcher.usage}\n")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("launcher", LAUNCHERS, ids=by_script)
def test_a_missing_path_is_named(launcher: Launcher, shell: str, colors: Path, tmp_path: Path) -> None:
    (tmp_path / "no.ckpt").touch()
    before = sorted(tmp_path.iterdir())
    for word, error in launcher.missing:
        meaning = {**arguments(launcher, colors, tmp_path), word: "not there"}
        done = launched.run([shell, launcher.path, *words_of(launcher, meaning)], tmp_path, **CPU)
        expected = f"error: {error.format(tmp_path / 'not there')}\n"
        assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)
    (tmp_path / "hccl_2p.json").unlink()
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (["w.ckpt", "3", "val"], ["--checkpoint_path", "w.ckpt", "--begin_epoch", "3", "--eval_data_path", "val"]),
        (["val"], ["--eval_data_path", "val"]),
        (["val", "w.ckpt"], ["--eval_data_path", "val", "--checkpoint_path", "w.ckpt"]),
        (["3"], ["--begin_epoch", "3"]),
    ],
)
def test_hrnets_optional_arguments_are_told_apart_by_kind(words: list[str], flags: list[str], tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    (tmp_path / "w.ckpt").touch()
    scripts = f"{ROOT}/scripts/launchers.sh", f"{ROOT}/models/hrnet_w48/scripts/optional.sh"
    code = f'source "{scripts[0]}"; source "{scripts[1]}"; usage=u; tell_apart "$@"; printf "%s\\n" "${{OPTIONAL[@]}}"'
    done = launched.run(["bash", "-c", code, "bash", *words], tmp_path)
    assert done.stdout.replace(f"{tmp_path}/", "").split() == flags


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["a", "w.ckpt"], "error: EVAL_DATASET_PATH={}/a is not a directory."),
        (["gone.ckpt", "3"], "error: CKPT_PATH={}/gone.ckpt is not a file."),
        (["3", "4"], "Usage: bash scripts/run_standalone_train.sh [DATASET_PATH]"),
    ],
)
def test_hrnets_optional_arguments_that_are_of_no_kind(
    words: list[str], error: str, colors: Path, tmp_path: Path
) -> None:
    launcher = ALONE[2]
    done = launched.run(["bash", launcher.path, colors / "train", "out", *words], tmp_path, **CPU)
    assert done.returncode == 1
    assert done.stderr.startswith(error.format(tmp_path))


def test_an_error_comes_instead_of_the_line_that_the_job_runs_in_the_background(colors: Path, tmp_path: Path) -> None:
    """Here a device number that differs from the table."""
    launcher = DISTRIBUTED[0]
    meaning = {**arguments(launcher, colors, tmp_path), "NUMBER": "8"}
    done = launched.run(["sh", launcher.path, *words_of(launcher, meaning)], tmp_path, **CPU)
    assert done.returncode == 2
    assert "error: 8 ranks were asked for, and the rank table" in done.stderr
    assert "background" not in done.stdout


@pytest.mark.parametrize("name", ["RANK_TABLE_FILE", "rank_table_2pcs.json"])
def test_glore_takes_a_table_from_the_environment_or_the_current_folder(
    name: str, colors: Path, tmp_path: Path
) -> None:
    table = tmp_path / name
    table.write_text("no table")
    variables = {**CPU, "RANK_TABLE_FILE": name} if name.isupper() else CPU
    done = launched.run(["sh", DISTRIBUTED[2].path, colors / "train", "2"], tmp_path, **variables)
    assert done.returncode == 2
    assert f"error: the rank table {table} is not JSON" in done.stderr


def test_a_platform_may_give_the_folder_of_its_table(colors: Path, tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "jobstart_hccl.json").write_text("no table")
    done = launched.run(
        ["sh", DISTRIBUTED[2].path, colors / "train", "2"], tmp_path, **CPU, RANK_TABLE_FILE=str(folder)
    )
    assert done.returncode == 2
    assert f"error: the rank table {folder / 'jobstart_hccl.json'} is not JSON" in done.stderr


def test_more_flags_of_launch_come_from_the_environment(colors: Path, tmp_path: Path) -> None:
    more = {"LAUNCH_FLAGS": "--nodes 2 --master_addr 127.0.0.1 --node_rank 0"}
    done = launched.run(["sh", DISTRIBUTED[2].path, colors / "train", "2"], tmp_path, **CPU, **more)
    assert done.returncode == 2
    assert "master_addr is 127.0.0.1, which other servers cannot reach" in done.stderr


def test_what_train_refuses_keeps_its_status_in_the_background_too(colors: Path, tmp_path: Path) -> None:
    launcher = ALONE[0]
    words = words_of(launcher, arguments(launcher, colors, tmp_path))
    done = launched.run(["sh", launcher.path, *words, "--", "--max_epohc", "1"], tmp_path, **CPU)
    assert done.returncode == 2
    assert "unknown flag --max_epohc (did you mean --max_epoch?)" in done.stderr
    assert not (tmp_path / "train_standalone").exists()


def statuses(folder: Path) -> dict[int, Path]:
    """The files that ended jobs leave, by number of the file system: a job that makes room keeps it."""
    return {path.stat().st_ino: path for path in folder.rglob("status")}


def launch(
    launcher: Launcher, shell: str, words: list[str], folder: Path, flags: list[str], *, background: bool
) -> str:
    """Run the launcher until its job has ended well; returns what it printed."""
    mode = [] if background or launcher.foreground else ["--foreground"]
    before = statuses(folder)
    done = launched.run([shell, launcher.path, *words, *mode, "--", *flags], folder, **CPU)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert processes.wait_until(lambda: bool(statuses(folder).keys() - before.keys()), PATIENCE)
    (status,) = (path for number, path in statuses(folder).items() if number not in before)
    assert status.read_text() == "0\n", "".join(path.read_text() for path in status.parent.glob("*.log"))[-3000:]
    return done.stdout


def check_files(launcher: Launcher, root: Path, ranks: int) -> None:
    """What the README documents is there, for each rank."""
    for rank in range(ranks):
        name = launcher.log.replace("{rank}", str(rank))
        text = (root / name).read_text()
        assert re.search(launcher.line, text), text[-2000:]
        if launcher.env:
            assert f"\nRANK_ID={rank}\n" in (root / launcher.env.replace("{rank}", str(rank))).read_text()
        if launcher.link:
            assert (root / launcher.link.replace("{rank}", str(rank))).read_text() == text


@pytest.mark.slow(minutes=0.5)
@pytest.mark.parametrize("family", FAMILIES, ids="-".join)
def test_every_launcher_runs(family: tuple[str, str], colors: Path, tmp_path: Path) -> None:
    """On two ranks in the background, alone, and an evaluation of what was trained; by bash and by sh in turns."""
    flags = [*tiny(family[0]), *TRAIN_FLAGS, *QUICK.get(family, [])]
    (distributed,) = (launcher for launcher in DISTRIBUTED if launcher.family == family)
    words = words_of(distributed, arguments(distributed, colors, tmp_path))
    printed = launch(distributed, SHELLS[FAMILIES.index(family) % 2], words, tmp_path, flags, background=True)
    assert distributed.printed in printed
    check_files(distributed, tmp_path, 2)
    assert (tmp_path / "msrun_log" / "scheduler.log").is_file()

    if family == FAMILIES[0]:
        words = words_of(distributed, arguments(distributed, colors, tmp_path, ranks=1))
        printed = launch(distributed, "sh", words, tmp_path, flags, background=False)
        assert re.search(distributed.line, printed)
        check_files(distributed, tmp_path, 1)

    for number, launcher in enumerate(one for one in [*ALONE, *EVALUATING] if one.family == family):
        words = words_of(launcher, arguments(launcher, colors, tmp_path))
        shell, own = SHELLS[number % 2], flags if launcher in ALONE else ["--workers", "1"]
        printed = launch(launcher, shell, words, tmp_path, own, background=False)
        assert launcher.foreground is False or launcher.printed in printed
        check_files(launcher, tmp_path, 2 if "NUMBER" in launcher.words else 1)
