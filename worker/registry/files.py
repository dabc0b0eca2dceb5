"""Read and download the files of runs and versions, from the artifact store that MLflow names."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from worker.registry import conversion
from worker.registry.entities import FILES, FilesSeen, Version
from worker.registry.errors import translate_errors
from worker.registry.instrumented_client import download_artifacts, instrumented, list_artifacts, store
from worker.registry.protocol import PermanentError

_OF_RUN = re.compile(r"runs:/([^/]+)/(.+)")
_MAX_FILES = 10_000  # of one model; further ones are ignored
_MAX_MLMODEL = 1_000_000  # characters
_MAX_HASHED = 1_000  # files of one model; each takes a call


class Files:
    """The calls of protocol.Registry about files. uri: MLFLOW_TRACKING_URI."""

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
        """Return the address of a version's files, by a call that does not read the whole model first, as
        MlflowClient's does to rule out a prompt.
        """
        return self._within_run(str(self._store.get_model_version_download_uri(model, version)))

    def _within_run(self, address: str) -> str:
        """Return where the files at runs:/RUN/PATH are, for a run without logged models: among its own artifacts.

        MLflow's client would search for logged models, which servers before 3.0 do not know.
        """
        if not (named := _OF_RUN.fullmatch(address)):
            return address
        run = self._client.get_run(named[1])
        if run.outputs and run.outputs.model_outputs:
            return address
        return f"{run.info.artifact_uri.rstrip('/')}/{named[2]}"

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
            file = download_artifacts(artifact_uri=uri, dst_path=folder, tracking_uri=self._uri)
            return Path(file).read_text(encoding="utf-8", errors="replace")[:_MAX_MLMODEL]

    def look_at_files(self, version: Version, *, most: int, known: FilesSeen | None = None) -> FilesSeen:
        """Digest the files, also those of a logged model (m-...): its id stays when somebody overwrites them."""
        with translate_errors(f"looking at the files of {version}"):
            address = known.address if known else self._address(version.model, version.version)
            listing = (known.listing if known else None) or self._listing(address)
            paths, hashes = _within(listing, most), dict(known.hashes) if known else {}
            hashes |= self._hashes(address, [path for path in paths if path not in hashes])
        content = {path: hashes[path] for path in paths}
        entries = [(path, size, content.get(path)) for path, size in listing]
        digest = hashlib.sha256(json.dumps(entries).encode()).hexdigest()
        return FilesSeen(f"{FILES}{digest}", _coverage(len(listing), len(content)), address, listing, hashes)

    def _hashes(self, address: str, paths: Sequence[str]) -> dict[str, str]:
        """Return the SHA-256 by path. Downloads file by file: MLflow's own download lists their folder first."""
        if not paths:
            return {}
        repository = get_artifact_repository(address, tracking_uri=self._uri)
        download = instrumented("download_artifacts", repository._download_file)
        hashes = {}
        with TemporaryDirectory() as folder:
            file = Path(folder) / "file"
            for path in paths:
                download(path, str(file))
                with file.open("rb") as content:
                    hashes[path] = hashlib.file_digest(content, "sha256").hexdigest()
        return hashes

    def _listing(self, address: str) -> list[tuple[str, int]]:
        """Return path and size of the files at an address, sorted; about _MAX_FILES at most."""
        files: list[tuple[str, int]] = []
        folders = [""]
        while folders and len(files) < _MAX_FILES:
            folder = folders.pop()
            uri = f"{address.rstrip('/')}/{folder}" if folder else address
            for file in list_artifacts(artifact_uri=uri, tracking_uri=self._uri):
                path = f"{folder}/{Path(file.path).name}" if folder else Path(file.path).name
                if file.is_dir:
                    folders.append(path)
                else:
                    files.append((path, file.file_size or 0))
        return sorted(files)

    def size_of(self, model: str, version: int) -> int:
        with translate_errors(f"looking at the files of {model} version {version}"):
            listing = self._listing(self._address(model, version))
        if len(listing) >= _MAX_FILES:
            raise PermanentError(f"{model} version {version} has {_MAX_FILES:,} files or more, too many to count")
        return sum(size for _, size in listing)

    def download_version(self, model: str, version: int, folder: Path) -> Path:
        with translate_errors(f"fetching {model} version {version}"):
            address = self._address(model, version)
            return Path(download_artifacts(artifact_uri=address, dst_path=str(folder), tracking_uri=self._uri))


def _within(listing: Iterable[tuple[str, int]], most: int) -> list[str]:
    """Return MLmodel and the smallest files, `most` bytes at most: code and settings come before weights."""
    left, paths = most, []
    for path, size in sorted(listing, key=lambda each: (each[0] != "MLmodel", each[1], each[0])):
        if path == "MLmodel" and size <= _MAX_MLMODEL:
            paths.append(path)
        elif size <= left and len(paths) < _MAX_HASHED:
            paths.append(path)
            left -= size
    return paths


def _coverage(files: int, hashed: int) -> str:
    """Return what a digest covers, for people."""
    if not files:
        return "there are no files"
    of = f"{files:,}" if files < _MAX_FILES else f"the first {_MAX_FILES:,}"
    return "content" if hashed == files < _MAX_FILES else f"names and sizes of {of} files, content of {hashed:,}"
