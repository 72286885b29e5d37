"""Event files for TensorBoard, written by its own library; TensorFlow is not needed.

Each record is written at once, into a file that is opened here: the library's own writer, and that of tensorboardX, write
from a thread, where a full disk is noticed late or waited for without end.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.summary.writer.record_writer import RecordWriter

VERSION = "brain.Event:2"
SETTINGS = "settings/text_summary"
TEXT = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))


class EventFiles:
    """One more file in the run's folder for each time that the run goes on; TensorBoard reads them in their order."""

    def __init__(self, folder: Path) -> None:
        # By its name it comes after those of before. The library's names have a second less, in ten digits.
        self.file = open(folder / f"events.out.tfevents.{time.time_ns() / 1e9:.6f}.mindzoo", "xb")  # noqa: SIM115
        self.records = RecordWriter(self.file)

    def start(self, settings: Mapping[str, Any], step: int) -> None:
        """Begin a file. A second one makes TensorBoard forget what the ones before say of `step` and later ones."""
        self._write(Event(file_version=VERSION))
        if step:
            self._write(Event(step=step, session_log=SessionLog(status=SessionLog.START)))
        lines = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True).splitlines()
        block = "\n".join(f"    {line}" for line in lines)  # which Markdown shows letter by letter
        text = TensorProto(dtype=DT_STRING, string_val=[block.encode(errors="backslashreplace")])
        value = Summary.Value(tag=SETTINGS, metadata=TEXT, tensor=text)
        self._write(Event(step=step, summary=Summary(value=[value])))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One point for each value."""
        points = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(Event(step=step, summary=Summary(value=points)))

    def finish(self) -> None:
        """Close the file."""
        self.file.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self.records.write(event.SerializeToString())
        self.records.flush()
