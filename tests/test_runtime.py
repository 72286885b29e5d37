"""Device, ranks, signals and the way a command ends."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mindspore import Tensor, nn, ops

from mindzoo.utils import environment, exits, log, runtime
from mindzoo.utils.errors import UserError
from mindzoo.utils.exits import Interrupted
from mindzoo.utils.runtime import World


@pytest.fixture(autouse=True)
def _no_launcher_and_no_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in runtime.LAUNCHER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    yield
    log.stop()


def test_auto_is_the_cpu_where_there_is_no_ascend(capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    assert runtime.resolve_device("auto") == "CPU"
    assert capsys.readouterr().out == "device_target auto: computing on CPU" + "\n"


def test_the_cpu_asked_for_by_name_needs_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    assert runtime.resolve_device("CPU") == "CPU"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("target", ["Ascend", "GPU"])
def test_an_absent_device(target: str) -> None:
    with pytest.raises(UserError) as caught:
        runtime.resolve_device(target)
    assert str(caught.value) == (
        f"device_target is {target}, and MindSpore finds none here; use --device_target CPU or auto"
    )


@pytest.mark.parametrize(
    ("version", "given", "wanted"),
    [
        ("2.10.0", None, "AVX2"),
        ("2.9.0", None, "AVX2"),
        ("2.10.0", "AVX512_CORE", "AVX512_CORE"),
        ("2.8.0", None, None),
    ],
)
def test_limit_onednn(monkeypatch: pytest.MonkeyPatch, version: str, given: str | None, wanted: str | None) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", given or "")
    if given is None:
        monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    monkeypatch.setattr(environment, "_version_text", lambda package: version)
    environment.limit_onednn()
    assert os.environ.get("ONEDNN_MAX_CPU_ISA") == wanted


@pytest.mark.parametrize(("device", "limited"), [("CPU", 1), ("Ascend", 0)])
def test_onednn_is_limited_on_the_cpu_only(monkeypatch: pytest.MonkeyPatch, device: str, limited: int) -> None:
    calls: list[int] = []
    monkeypatch.setattr(environment, "limit_onednn", lambda: calls.append(1))
    monkeypatch.setattr(runtime, "resolve_device", lambda _: device)
    for name in ("set_context", "set_device", "set_seed"):
        monkeypatch.setattr(f"mindspore.{name}", lambda *_, **__: None)
    runtime.start(device)
    assert len(calls) == limited


@pytest.mark.parametrize(
    ("device", "named", "role", "wanted"),
    [
        ("Ascend", "5", "", 5),
        ("GPU", "0", "", 0),
        ("Ascend", "", "", None),
        ("CPU", "5", "", None),
        ("Ascend", "5", "MS_WORKER", None),
    ],
)
def test_a_process_alone_takes_the_device_that_is_named(
    monkeypatch: pytest.MonkeyPatch, device: str, named: str, role: str, wanted: int | None
) -> None:
    monkeypatch.setenv("DEVICE_ID", named)
    if role:
        monkeypatch.setenv("MS_ROLE", role)
    assert runtime.device_number(device) == wanted


def test_a_device_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVICE_ID", "first")
    with pytest.raises(UserError, match="the variable DEVICE_ID is first; wanted the number of a device"):
        runtime.device_number("Ascend")


def test_without_a_launcher_the_process_runs_alone_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    assert runtime.join(True, 3, 8) == World(rank=0, size=1, launched=False)
    assert (
        capsys.readouterr().out
        == "is_distributed is 1, but no launcher started this process: it runs alone, as rank 0 of 1" + "\n"
    )


def test_a_rank_table_alone_does_not_say_which_rank_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK_TABLE_FILE", "/user/config")
    for name in ("MS_ROLE", "OMPI_COMM_WORLD_SIZE", "RANK_ID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="RANK_TABLE_FILE is /user/config, and RANK_ID does not say which of its ranks"):
        runtime.join(True, 0, 1)


def test_without_is_distributed_rank_and_group_size_stand(capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    assert runtime.join(False, 3, 8) == World(rank=3, size=8, launched=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("rank", "size"), [(1, 1), (8, 8), (-1, 2)])
def test_a_rank_outside_the_group(rank: int, size: int) -> None:
    with pytest.raises(UserError) as caught:
        runtime.join(False, rank, size)
    assert str(caught.value) == f"rank is {rank} and group_size is {size}; wanted 0 <= rank < group_size"


def wait_until_it_is_said() -> None:
    for thread in threading.enumerate():
        if thread.name == runtime.ASKED_TO_STOP:
            thread.join(timeout=60)


class SignalledFile(io.RawIOBase):
    """A file that a signal reaches while its first line is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written.append(bytes(data))
        if len(self.written) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return len(data)


def test_a_signal_in_the_middle_of_a_line_is_said_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    file = SignalledFile()
    handler = logging.StreamHandler(io.TextIOWrapper(io.BufferedWriter(file), encoding="utf-8"))
    log.start()
    log.logger.addHandler(handler)
    try:
        with runtime.stop_on_signals():
            log.logger.warning("a line")
            wait_until_it_is_said()
            log.logger.warning("another line")
    finally:
        log.logger.removeHandler(handler)
    assert b"".join(file.written).decode().splitlines() == ["a line", runtime.ASKED_TO_STOP, "another line"]
    assert "Logging error" not in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sets_the_request_and_the_second_ends_at_once(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    log.start()
    before = [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)]
    with runtime.stop_on_signals() as request:
        assert not request
        os.kill(os.getpid(), number)
        assert request
        assert request.signal == number
        wait_until_it_is_said()
        assert capsys.readouterr().out.startswith("asked to stop: finishing this step")
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)] == before


def test_what_a_compiler_makes_of_the_second_signal_ends_as_quietly() -> None:
    def compiling() -> None:
        with runtime.stop_on_signals() as request:
            request.receive(signal.SIGINT, None)
            with pytest.raises(KeyboardInterrupt):
                request.receive(signal.SIGINT, None)
            raise RuntimeError("The Traceback of Net Construct Code")

    with pytest.raises(KeyboardInterrupt):
        compiling()


class Misshapen(nn.Cell):
    """Its graph cannot be compiled."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.reshape(x, (7, 7))


def test_a_graph_that_fails_leaves_nothing_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MS_OM_PATH", "to be removed again afterwards")
    monkeypatch.delenv("MS_OM_PATH")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runtime.take_device("CPU")
    with pytest.raises(ValueError, match=r"[Rr]eshape"):
        Misshapen()(ops.zeros((2, 3)))
    assert not Path("rank_0").exists()
    assert (tmp_path / "cache" / "mindzoo" / "failed_graphs" / "rank_0" / "om" / "analyze_fail.ir").is_file()


def test_handlers_come_back_after_an_error() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), runtime.stop_on_signals():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before


def raising(error: BaseException) -> Callable[[], None]:
    def run() -> None:
        log.logger.info("working")
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "status", "out", "err"),
    [
        (UserError("lr is x; wanted a number"), 2, "working\n", "error: lr is x; wanted a number\n"),
        (Interrupted("stopped after step 3", signal.SIGTERM), 143, "working\nstopped after step 3\n", ""),
        (Interrupted("stopped after step 3", signal.SIGINT), 130, "working\nstopped after step 3\n", ""),
        (KeyboardInterrupt(), 130, "working\n", "interrupted\n"),
    ],
)
def test_exit_status(capsys: pytest.CaptureFixture[str], error: BaseException, status: int, out: str, err: str) -> None:
    log.start()
    assert exits.exit_status(raising(error)) == status
    assert capsys.readouterr() == (out, err)
    assert log.logger.handlers == []


def test_exit_status_of_success(capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    assert exits.exit_status(lambda: "what a run returns means nothing") == 0
    assert capsys.readouterr() == ("", "")
    assert log.logger.handlers == []


def test_exit_status_where_the_reader_of_the_output_is_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", sys.stdout)
        assert exits.exit_status(raising(BrokenPipeError())) == 141
        sys.stdout.close()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [ZeroDivisionError("ours"), SystemExit(0)])
def test_any_other_end_passes_through(error: BaseException) -> None:
    log.start()
    with pytest.raises(type(error)):
        exits.exit_status(raising(error))
    assert log.logger.handlers == []
