"""The files of runs and versions, through the artifact store that MLflow names."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from worker.registry import conversion
from worker.registry.entities import FILES, FilesSeen
from worker.registry.errors import translate_errors
from worker.registry.instrumented_client import download_artifacts, instrumented, list_artifacts, store
from worker.registry.protocol import PermanentError

_MOST_FILES = 10_000  # of one model; further ones are ignored
_MOST_MLMODEL = 1_000_000  # characters
_MOST_HASHED = 1_000  # files of one model; each takes a call


class Files:
    """The part of protocol.Registry about files. uri: MLFLOW_TRACKING_URI."""

    def __init__(self, uri: str, client: MlflowClient) -> None:
        self._uri = uri
        self._client = client
        self._store = store(uri)

    def download_run(self, run_id: str, path: str | None, folder: Path) -> Path:
        with translate_errors(f"fetching the artifacts of run {run_id}"):
            wanted = {"run_id": run_id, "artifact_path": path or ""}
            return Path(download_artifacts(**wanted, dst_path=str(folder), tracking_uri=self._uri))

    def files_of(self, model: str, version: int) -> list[str]:
        with translate_errors(f"looking at the files of {model} version {version}"):
            return sorted(self.listed(self._address(model, version)))

    def _address(self, model: str, version: int) -> str:
        """Return the address of a version's files. MlflowClient would read the whole model first, to rule out a
        prompt.
        """
        return str(self._store.get_model_version_download_uri(model, version))

    def listed(self, uri: str) -> set[str]:
        """Return the names in a folder of an artifact store."""
        return {Path(file.path).name for file in list_artifacts(artifact_uri=uri, tracking_uri=self._uri)}

    def mlmodel(self, model: str, version: int) -> Mapping[str, Any]:
        with translate_errors(f"reading the MLmodel file of {model} version {version}"):
            address = self._address(model, version)
            return conversion.read_mlmodel(self._mlmodel(address) if "MLmodel" in self.listed(address) else "")

    def _mlmodel(self, address: str) -> str:
        """Return the text of the MLmodel file at an address."""
        with TemporaryDirectory() as folder:
            uri = f"{address.rstrip('/')}/MLmodel"
            got = download_artifacts(artifact_uri=uri, dst_path=folder, tracking_uri=self._uri)
            return Path(got).read_text(encoding="utf-8", errors="replace")[:_MOST_MLMODEL]

    def look_at_files(self, model: str, version: int, *, most: int) -> FilesSeen:
        """Read also the files of a logged model (m-...): its id stays when somebody overwrites them."""
        with translate_errors(f"looking at the files of {model} version {version}"):
            address = self._address(model, version)
            listing = self._listing(address)
            content = self._hashes(address, _within(listing, most))
        found = [(path, size, content.get(path)) for path, size in listing]
        digest = hashlib.sha256(json.dumps(found).encode()).hexdigest()
        return FilesSeen(f"{FILES}{digest}", _compared(len(listing), len(content)))

    def _hashes(self, address: str, paths: Iterable[str]) -> dict[str, str]:
        """Return SHA-256 by path. Files are downloaded one by one: MLflow's own download lists their folder first."""
        repository = get_artifact_repository(address, tracking_uri=self._uri)
        download = instrumented("download_artifacts", repository._download_file)
        found = {}
        with TemporaryDirectory() as folder:
            file = Path(folder) / "file"
            for path in paths:
                download(path, str(file))
                with file.open("rb") as content:
                    found[path] = hashlib.file_digest(content, "sha256").hexdigest()
        return found

    def _listing(self, address: str) -> list[tuple[str, int]]:
        """Return path and size of the files at an address, _MOST_FILES at most."""
        found: list[tuple[str, int]] = []
        folders = [""]
        while folders and len(found) < _MOST_FILES:
            below = folders.pop()
            where = f"{address.rstrip('/')}/{below}" if below else address
            for file in list_artifacts(artifact_uri=where, tracking_uri=self._uri):
                path = f"{below}/{Path(file.path).name}" if below else Path(file.path).name
                if file.is_dir:
                    folders.append(path)
                else:
                    found.append((path, file.file_size or 0))
        return sorted(found)

    def size_of(self, model: str, version: int) -> int:
        with translate_errors(f"looking at the files of {model} version {version}"):
            found = self._listing(self._address(model, version))
        if len(found) >= _MOST_FILES:
            raise PermanentError(f"{model} version {version} has {_MOST_FILES:,} files or more, too many to count")
        return sum(size for _, size in found)

    def download_version(self, model: str, version: int, folder: Path) -> Path:
        """Download from where the registry says the files are."""
        with translate_errors(f"fetching {model} version {version}"):
            address = self._address(model, version)
            return Path(download_artifacts(artifact_uri=address, dst_path=str(folder), tracking_uri=self._uri))


def _within(listing: Iterable[tuple[str, int]], most: int) -> list[str]:
    """Return MLmodel and the smallest files that fit into so many bytes: code and settings before weights."""
    left, found = most, []
    for path, size in sorted(listing, key=lambda each: (each[0] != "MLmodel", each[1], each[0])):
        if path == "MLmodel" and size <= _MOST_MLMODEL:
            found.append(path)
        elif size <= left and len(found) < _MOST_HASHED:
            found.append(path)
            left -= size
    return found


def _compared(files: int, hashed: int) -> str:
    """Return what an approval covers, for people."""
    if not files:
        return "there are no files"
    of = f"{files:,}" if files < _MOST_FILES else f"the first {_MOST_FILES:,}"
    return "content" if hashed == files < _MOST_FILES else f"names and sizes of {of} files, content of {hashed:,}"
