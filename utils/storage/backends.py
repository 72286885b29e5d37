"""The kinds of storage by the scheme of a URL: s3:// through s3fs, obs:// through Huawei Cloud's SDK, and folders."""

from __future__ import annotations

import calendar
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mindzoo.utils.errors import UserError
from mindzoo.utils.files import is_inside, resolved, whole_file
from mindzoo.utils.storage import moxing, urls
from mindzoo.utils.storage.store import Entry, ListingStore, Store

PAGE = 1000  # objects in one answer to a listing


def open_store(url: str, *, modelarts: bool) -> Store:
    """The storage that `url` is in.

    Args:
        modelarts: whether the configuration says that this is a job of ModelArts.

    Raises:
        UserError: what it takes is not installed or not set.
    """
    kind = urls.scheme(url)
    if not kind:
        return Folder(Path(url))
    file = moxing.find(required=modelarts)
    if file is not None:
        return moxing.Moxing(file)
    try:
        return S3() if kind == "s3" else Obs()
    except ImportError as error:
        package = "s3fs" if kind == "s3" else "esdk-obs-python"
        raise UserError(
            f"{url}: copying from and to {kind}:// needs {package} ({error}): pip install {package} (mindzoo's extra "
            "obs); in a job of ModelArts whose image has moxing: --modelarts true"
        ) from None


class S3(ListingStore):
    """s3:// through s3fs, which reads AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so on, and ~/.aws, by itself."""

    def __init__(self) -> None:
        import s3fs

        # The attempts are counted in one place only, see `retry`.
        settings = {"connect_timeout": 10, "read_timeout": 60, "retries": {"total_max_attempts": 1}}
        self.files = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False, config_kwargs=settings)
        self.files.retries = 1

    def listing(self, url: str) -> Mapping[str, Entry]:
        root = "/".join(filter(None, urls.split(url)))
        found = self.files.find(root, detail=True)
        return {
            path[len(root) + 1 :]: Entry(int(facts["size"]), int(facts["LastModified"].timestamp()))
            for path, facts in found.items()
            if not path.endswith("/")
        }

    def get(self, url: str, path: Path) -> None:
        self.files.get_file("/".join(urls.split(url)), str(path))

    def put(self, path: Path, url: str) -> None:
        self.files.put_file(str(path), "/".join(urls.split(url)))


class Obs(ListingStore):
    """obs:// through esdk-obs-python: OBS_ENDPOINT, OBS_ACCESS_KEY_ID, OBS_SECRET_ACCESS_KEY, OBS_SECURITY_TOKEN."""

    def __init__(self) -> None:
        from obs import ObsClient

        missing = [
            name for name in ("OBS_ENDPOINT", "OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY") if not os.environ.get(name)
        ]
        if missing:
            raise UserError(
                f"copying from and to obs:// needs {', '.join(missing)} in the environment: the server, such as "
                "https://obs.cn-north-4.myhuaweicloud.com, and the access key"
            )
        self.client = ObsClient(
            server=os.environ["OBS_ENDPOINT"],
            access_key_id=os.environ["OBS_ACCESS_KEY_ID"],
            secret_access_key=os.environ["OBS_SECRET_ACCESS_KEY"],
            security_token=os.environ.get("OBS_SECURITY_TOKEN"),
            ssl_verify=True,
            max_retry_count=1,
            timeout=60,
        )
        # The SDK knows no certificates by itself, and does not compare names.
        if self.client.context is not None:
            self.client.context.load_default_certs()
            self.client.context.check_hostname = True

    def listing(self, url: str) -> Mapping[str, Entry]:
        bucket, root = urls.split(url)
        prefix = f"{root}/" if root else ""
        found = {
            item.key[len(prefix) :]: Entry(int(item.size), _seconds(item.lastModified))
            for item in self._objects(bucket, prefix)
            if not item.key.endswith("/")
        }
        if found or not root:
            return found
        for item in self._objects(bucket, root):  # the object itself is the first of those that start with its key
            return {"": Entry(int(item.size), _seconds(item.lastModified))} if item.key == root else {}
        return {}

    def get(self, url: str, path: Path) -> None:
        bucket, name = urls.split(url)
        _answered(self.client.getObject(bucket, name, downloadPath=str(path)), url)

    def put(self, path: Path, url: str) -> None:
        bucket, name = urls.split(url)
        _answered(self.client.putFile(bucket, name, str(path)), url)

    def _objects(self, bucket: str, prefix: str) -> Iterator[Any]:
        """Everything whose key starts with `prefix`."""
        marker = None
        while True:
            answer = self.client.listObjects(bucket, prefix=prefix, marker=marker, max_keys=PAGE)
            body = _answered(answer, f"obs://{bucket}/{prefix}")
            yield from body.contents
            if not body.is_truncated:
                return
            marker = body.contents[-1].key


class Folder(ListingStore):
    """A folder of this machine, such as a network's share. Links that lead out of it are left alone."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, resolved(folder)

    def listing(self, url: str) -> Mapping[str, Entry]:
        top = self._checked(Path(url))
        paths = [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file()]
        facts = {path: path.stat() for path in paths if not path.is_symlink() or is_inside(path, self.root)}
        return {
            "" if path == top else path.relative_to(top).as_posix(): Entry(stat.st_size, int(stat.st_mtime))
            for path, stat in facts.items()
        }

    def get(self, url: str, path: Path) -> None:
        shutil.copyfile(url, path)

    def put(self, path: Path, url: str) -> None:
        target = Path(url)
        self._checked(target.parent).mkdir(parents=True, exist_ok=True)
        with whole_file(target) as unfinished:
            unfinished.unlink(missing_ok=True)  # others can write here: it may be a link
            shutil.copyfile(path, unfinished)

    def _checked(self, path: Path) -> Path:
        if not is_inside(path, self.root):
            raise UserError(f"{path} lies behind a link that leads out of {self.folder}; remove the link")
        return path


def _answered(answer: Any, url: str) -> Any:
    """The body of an answer of the OBS SDK, which returns errors instead of raising them."""
    if answer.status < 300:
        return answer.body
    text = f"{url}: {answer.errorMessage or answer.reason} (status {answer.status}, {answer.errorCode})"
    raise {403: PermissionError, 404: FileNotFoundError}.get(answer.status, OSError)(text)


def _seconds(written: str) -> int:
    """Of a time such as 2024/05/31 23:59:59, as the OBS SDK says it."""
    return calendar.timegm(time.strptime(written, "%Y/%m/%d %H:%M:%S"))
