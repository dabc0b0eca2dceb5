"""worker.fetch, on artifacts.fetch: download artifacts of a run or version into the artifacts folder, with a manifest.

Nothing is unpickled or run. Files are downloaded into a folder of their own and checked; then the whole folder moves to
its place. A version's manifest identifies the version: it is fetched again where the folder has another one of its
number, or no manifest.
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
from registrar.queries.fetched_artifacts import MANIFEST, origin, place
from worker.registry.protocol import PermanentError, Refused, RetryableError
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    data = context.data_as(ArtifactsFetch)
    goal, identity = place(context.artifacts_folder, data), _version_identity(context, data)
    if identity and _read_manifest_version(goal) == identity:
        return _fetched_outcome(context, data, goal, "is there already")
    goal.parent.mkdir(parents=True, exist_ok=True)
    # Beside its final path, so that the last step is a rename within one file system.
    incoming = Path(tempfile.mkdtemp(prefix=".incoming-", dir=goal.parent))
    try:
        content = _download(context, data, incoming)
        write_manifest(content, origin(data), identity)
        if identity != _version_identity(context, data):
            raise RetryableError(f"{origin(data)} was made anew while it was fetched")
        _put(content, goal)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return _fetched_outcome(context, data, goal, "was fetched")


def _version_identity(context: TaskContext, data: ArtifactsFetch) -> dict[str, Any] | None:
    """Return the version's identity for the manifest; None for a run, whose id is unique."""
    if data.run_id:
        return None
    version = context.registry.version(data.model or "", data.version or 0).incarnation(context.registry.address)
    return {**vars(version), "created_at": version.created_at.isoformat()}


def _read_manifest_version(goal: Path) -> dict[str, Any] | None:
    """Return the identity of the version in a folder, by its manifest; None where it has none."""
    try:
        version = json.loads((goal / MANIFEST).read_text(encoding="utf-8")).get("version")
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


def write_manifest(folder: Path, named: str, version: dict[str, Any] | None = None) -> None:
    """Write every file's size and SHA-256, by its path. Raises PermanentError for links: they may lead anywhere.

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
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")


def _put(content: Path, goal: Path) -> None:
    """Replace the folder at once: readers see the old one or the new one, never a mix."""
    content.chmod(0o755)
    if goal.exists():
        old = Path(tempfile.mkdtemp(prefix=".leaving-", dir=goal.parent)) / "old"
        goal.rename(old)
        shutil.rmtree(old.parent, ignore_errors=True)
    os.replace(content, goal)


def _fetched_outcome(context: TaskContext, data: ArtifactsFetch, goal: Path, what: str) -> Outcome:
    files = json.loads((goal / MANIFEST).read_text(encoding="utf-8"))["files"]
    size = sum(file["bytes"] for file in files.values())
    where = goal.relative_to(context.artifacts_folder)
    text = f"{origin(data)} {what}: {len(files)} files, {size:,} bytes, in {where}"
    fact = Fact(FactType.ARTIFACTS_FETCHED, text, data.model, data.version, {"folder": str(where), "files": len(files)})
    return Outcome(text, facts=(fact,))
