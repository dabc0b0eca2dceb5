"""What artifacts.fetch put into the artifacts folder: its places, manifests and files. The worker writes, others read.

Manifests are in a folder of their own: what was fetched may have a file of any name, and be part of what is fetched
next. A file is opened by a name of the manifest only, step by step below the folder, and through no link.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from registrar.queries.query_service import Unknown

if TYPE_CHECKING:  # it loads pydantic, which `registrar fetch` needs for nothing else
    from registrar.events.types import ArtifactsFetch

MANIFEST = "registrar-manifest.json"
_CHUNK = 65_536  # bytes
_LONGEST_NAME = 255  # bytes of a folder's name
_SHA256 = re.compile(r"[0-9a-f]{64}")


def place(folder: Path, data: "ArtifactsFetch") -> Path:
    """Return the path of fetched artifacts: runs/<run id>[/<path>] or models/<name>/<version>, below the folder."""
    if data.run_id:
        return folder / "runs" / data.run_id / (data.path or "")
    return folder / "models" / _folder_name(data.model or "") / str(data.version)


def _folder_name(model: str) -> str:
    """Return a model's name as that of a folder; of a long one its beginning and a digest, which no name looks like."""
    quoted = quote(model, safe=" ")
    if len(quoted) <= _LONGEST_NAME:
        return quoted
    return f"{quoted[: _LONGEST_NAME // 2]}={hashlib.sha256(model.encode()).hexdigest()}"


def origin(data: "ArtifactsFetch") -> str:
    """Name what is fetched, for people."""
    if data.run_id:
        return f"run {data.run_id}" + (f", {data.path}" if data.path else "")
    return f"{data.model} version {data.version}"


def manifest_path(folder: Path, data: "ArtifactsFetch") -> Path:
    """Return the path of the manifest of fetched artifacts, below the folder."""
    where = place(Path(), data).as_posix()
    return folder / "manifests" / f"{hashlib.sha256(where.encode()).hexdigest()}.json"


def read_manifest(folder: Path, data: "ArtifactsFetch") -> dict[str, Any]:
    """Return the manifest of what was fetched: its origin, and each file's bytes and sha256. Raises Unknown."""
    if not folder.is_dir():
        raise Unknown(
            "this receiver does not see the folder that the worker fetches into: give both the same REGISTRAR_ARTIFACTS"
        )
    try:
        with _open(folder, manifest_path(Path(), data)) as file:
            manifest: dict[str, Any] = json.load(file)
    except (OSError, ValueError):
        manifest = {}
    if not is_safe(manifest):
        raise Unknown(f"{origin(data)} is not in the receiver's artifacts folder; artifacts.fetch puts it there")
    return manifest


def open_file(folder: Path, data: "ArtifactsFetch", name: str) -> tuple[int, Iterator[bytes]]:
    """Return the size and the chunks of a file of the manifest. Raises Unknown."""
    manifest = read_manifest(folder, data)
    if name not in manifest["files"]:
        raise Unknown(f"{origin(data)} has no file of that name in its manifest")
    try:
        file = _open(folder, place(Path(), data) / name)
    except OSError:
        raise Unknown(f"{origin(data)} has lost a file; artifacts.fetch puts it there again") from None
    return os.fstat(file.fileno()).st_size, _chunks(file)


def _open(folder: Path, path: Path) -> IO[bytes]:
    """Open a file by its path below the folder, following no link on the way. Raises OSError."""
    *folders, name = path.parts
    if path.is_absolute() or ".." in path.parts:
        raise OSError(f"{path} is not below the folder")
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for each in folders:
            inner = os.open(each, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = inner
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(f"{name} is no file")
    return os.fdopen(opened, "rb")


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


def is_safe(manifest: object) -> bool:
    """Return whether a manifest names files below a folder alone, each with its size and SHA-256."""
    files = manifest.get("files") if isinstance(manifest, dict) else None
    return isinstance(files, dict) and all(_is_below(name) and _is_file(entry) for name, entry in files.items())


def _is_below(name: str) -> bool:
    return "\\" not in name and "\0" not in name and all(part not in ("", ".", "..") for part in name.split("/"))


def _is_file(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("bytes"), int)
        and bool(_SHA256.fullmatch(str(entry.get("sha256"))))
    )
