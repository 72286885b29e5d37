"""A real S3 server on this machine, what is needed to reach it, and processes that use it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mindzoo.tests.support.paths import ROOT

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
# The SDK of OBS speaks S3's protocol to a server that is named by its address.
OBS_KEYS = {"OBS_ACCESS_KEY_ID": "key", "OBS_SECRET_ACCESS_KEY": "secret"}
ENDPOINTS = ("AWS_ENDPOINT_URL", "OBS_ENDPOINT")
IMPORTABLE = f"import runpy\nrunpy.run_path({str(ROOT / 'utils' / 'importable.py')!r}, run_name='importable')\n"


def start_moto() -> Any:
    """moto's S3 server, in a thread of this process."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    return moto


# One for all tests of this process: ending a server takes half a second.
shared_moto = cache(start_moto)


class Server:
    """One bucket of an S3 server in this process."""

    def __init__(self, moto: Any) -> None:
        host, port = moto.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"
        self.environment = {**KEYS, **OBS_KEYS, **dict.fromkeys(ENDPOINTS, self.endpoint)}
        self.bucket = f"bucket-{uuid.uuid4().hex[:8]}"  # the server keeps all that any server of this process was given
        import boto3

        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        self.client = boto3.client("s3", endpoint_url=self.endpoint, **keys)
        self.client.create_bucket(Bucket=self.bucket)

    def put(self, name: str, content: bytes = b"") -> None:
        self.client.put_object(Bucket=self.bucket, Key=name, Body=content)

    def put_folder(self, folder: Path, name: str) -> None:
        for path in folder.rglob("*"):
            if path.is_file():
                self.put(f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def read(self, name: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self.bucket, Key=name)["Body"].read())

    def names(self, below: str = "") -> list[str]:
        """All of them, sorted, without `below`."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=below)
        return sorted(item["Key"].removeprefix(below) for page in pages for item in page.get("Contents", ()))

    def written(self, name: str) -> Any:
        """When an object was written last."""
        return self.client.head_object(Bucket=self.bucket, Key=name)["LastModified"]

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set this process' environment for it."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """An empty bucket, with this process' environment set for it and a cache folder of its own."""
    pytest.importorskip("moto.server", reason="the S3 server of moto is not installed")
    server = Server(shared_moto())
    server.use(monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return server


def start_python(code: str, **environment: str) -> subprocess.Popen[str]:
    """A process that runs `code`, which may import mindzoo."""
    command = [sys.executable, "-c", IMPORTABLE + code]
    settings: Mapping[str, str] = {**os.environ, "PYTHONPATH": "", **environment}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=settings)
