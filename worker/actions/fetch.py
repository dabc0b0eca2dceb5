"""worker.fetch, on artifacts.fetch: download artifacts of a run or version into the artifacts folder, with a manifest.

Nothing is unpickled or run. Files are downloaded into a folder of their own and checked; then the whole folder moves to
its place, and its manifest appears. A version's manifest identifies the version: it is fetched again where the manifest
is that of another one of its number, or missing.
"""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, Outcome
from registrar.events.types import ArtifactsFetch
from registrar.queries.fetched_artifacts import manifest_path, origin, place
from worker.registry.protocol import PermanentError, Refused, RetryableError
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    data = context.data_as(ArtifactsFetch)
    goal, identity = place(context.artifacts_folder, data), _version_identity(context, data)
    manifest = manifest_path(context.artifacts_folder, data)
    if identity and goal.is_dir() and _read_manifest_version(manifest) == identity:
        return _fetched_outcome(context, data, goal, "is there already")
    try:
        goal.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        where = Path(str(error.filename)).relative_to(context.artifacts_folder)
        raise Refused(f"{where} in the artifacts folder is a file, of an earlier fetch: remove it first") from None
    # Beside its final path, so that the last step is a rename within one file system.
    incoming = Path(tempfile.mkdtemp(prefix=".incoming-", dir=goal.parent))
    try:
        content = _download(context, data, incoming)
        text = make_manifest(content, origin(data), identity)
        if identity != _version_identity(context, data):
            raise RetryableError(f"{origin(data)} was made anew while it was fetched")
        manifest.unlink(missing_ok=True)  # a manifest is never that of other files
        _put(content, goal)
        _write(manifest, text)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return _fetched_outcome(context, data, goal, "was fetched")


def _version_identity(context: TaskContext, data: ArtifactsFetch) -> dict[str, Any] | None:
    """Return the version's identity for the manifest; None for a run, whose id is unique."""
    if data.run_id:
        return None
    version = context.registry.version(data.model or "", data.version or 0).incarnation(context.registry.address)
    return {**vars(version), "created_at": version.created_at.isoformat()}


def _read_manifest_version(manifest: Path) -> dict[str, Any] | None:
    """Return the identity of the version that was fetched, by its manifest; None where there is none."""
    try:
        version = json.loads(manifest.read_text(encoding="utf-8")).get("version")
    except (OSError, ValueError, AttributeError):
        return None
    return version if isinstance(version, dict) else None


def _download(context: TaskContext, data: ArtifactsFetch, folder: Path) -> Path:
    """Download the artifacts. Returns the folder that has them; a single file has the given one to itself."""
    if data.run_id:
        fetched = context.registry.download_run(data.run_id, data.path, folder)
    else:
        fetched = context.registry.download_version(data.model or "", data.version or 0, folder)
        if not (fetched / "MLmodel").is_file():
            raise Refused(f"{origin(data)} has no MLmodel file: its artifacts are not a model")
    if fetched.is_file():
        return folder
    if not fetched.is_dir() or not any(fetched.iterdir()):
        raise Refused(f"{origin(data)} has no artifacts")
    return fetched


def make_manifest(folder: Path, named: str, version: dict[str, Any] | None = None) -> str:
    """Return every file's size and SHA-256, by its path. Raises PermanentError for links: they may lead anywhere.

    version: the identity of the version, if the files are one's.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise PermanentError(f"{named}: {path.relative_to(folder)} is neither a file nor a folder")
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            files[path.relative_to(folder).as_posix()] = {"bytes": path.stat().st_size, "sha256": digest}
    manifest = {"origin": named, **({"version": version} if version else {}), "files": files}
    return json.dumps(manifest, indent=2)


def _write(path: Path, text: str) -> None:
    """Write a whole file at once: readers see all of it or none."""
    path.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    os.replace(file.name, path)


def _put(content: Path, goal: Path) -> None:
    """Replace the folder at once: readers see the old one or the new one, never a mix."""
    content.chmod(0o755)
    if goal.exists():
        old = Path(tempfile.mkdtemp(prefix=".leaving-", dir=goal.parent)) / "old"
        goal.rename(old)
        shutil.rmtree(old.parent, ignore_errors=True)
    os.replace(content, goal)


def _fetched_outcome(context: TaskContext, data: ArtifactsFetch, goal: Path, what: str) -> Outcome:
    manifest = manifest_path(context.artifacts_folder, data)
    files = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    size = sum(file["bytes"] for file in files.values())
    where = goal.relative_to(context.artifacts_folder)
    text = f"{origin(data)} {what}: {len(files)} files, {size:,} bytes, in {where}"
    details = {"folder": str(where), "files": len(files), "manifest": f"{manifest.parent.name}/{manifest.name}"}
    return Outcome(text, facts=(Fact(FactType.ARTIFACTS_FETCHED, text, data.model, data.version, details),))
