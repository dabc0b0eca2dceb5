"""`registrar fetch`: the files of a version or a run, through the receiver, checked by their manifest."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from registrar.cli import command, formatting, params
from registrar.cli.waiting import waiting
from registrar.errors import UserError
from registrar.http.api_client import Client
from registrar.http.event_client import NotTaken
from registrar.queries.fetched_artifacts import MANIFEST, is_safe
from registrar.text.sanitize import shown

Files = dict[str, dict[str, Any]]


class WouldOverwrite(UserError):
    """The folder has other content under a name that a fetched file has."""

    exit_code = 2


class Damaged(UserError):
    """What came is not what the manifest says."""


@click.command()
@click.argument("model", type=params.MODEL, required=False)
@click.argument("version", type=params.VERSION, required=False)
@click.option("--run", "run_id", metavar="ID", help="The artifacts of this run, in place of a version's.")
@click.option("--path", metavar="PATH", help="With --run: only this file or folder of its artifacts.")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Where the files go; what is there already and differs is never overwritten.",
)
@command.options(wait=True)
@click.pass_context
def fetch(
    ctx: click.Context,
    *,
    model: str | None,
    version: int | None,
    run_id: str | None,
    path: str | None,
    folder: Path,
    how: command.How,
) -> None:
    """Fetch the files of MODEL VERSION, or of a run, into a folder here.

    \b
    registrar fetch churn 3 --to ./churn-3
    registrar fetch --run 4c8ef2a1b5d04b7e8a1d2f3c4b5a6978 --path model --to ./model

    A worker copies them from MLflow's store into its artifacts folder; from there they come through the receiver, which
    has to see that folder (REGISTRAR_ARTIFACTS). Each file is checked by its size and SHA-256, and the folder appears
    when all have come. Asks for an artifacts.fetch, as the token's bearer or this machine's local operator. Exit code
    0: the files are there, and as in the manifest; 1: they could not be fetched; 2: other files are in the way; 3:
    nobody answers. With --no-wait the worker copies them, and none comes here.
    """
    if (model is None) == (run_id is None):
        raise click.UsageError("say what: MODEL VERSION, or --run ID")
    given = {"model": model, "version": version, "run_id": run_id, "path": path}
    data = {name: value for name, value in given.items() if value}
    if how.wait is None:
        command.submit_and_exit(ctx, how, "artifacts.fetch", data)
    command.check_data("artifacts.fetch", data)
    receipt = command.submit(how.context, "artifacts.fetch", data)
    with waiting(how.wait, how.context.receiver.token) as wait:
        [event] = wait.followed(receipt, None)
    if not command.is_done(event):
        ctx.exit(command.print_results([(receipt, [event])], as_json=how.as_json))
    with formatting.show_progress("fetching") as say:
        manifest = _fetch(how.context.receiver, _subject(event, data), folder, say)
    _print(manifest, folder, as_json=how.as_json)


def _subject(event: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Return what was fetched: the version, too, where the receiver found it."""
    if "model" in data and "version" not in data:
        return {**data, "version": event["tasks"][0]["outcome"]["facts"][0]["version"]}
    return data


def _fetch(client: Client, subject: dict[str, Any], folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Fetch the files of a manifest into a folder of their own; then put them in place. Raises UserError."""
    manifest: dict[str, Any] = client.get("artifacts", **subject)
    if not is_safe(manifest):
        raise NotTaken(f"{client.url} gave a manifest that names files outside of its folder, or none")
    files: Files = manifest["files"]
    there = _check_goal(folder, files)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # On the goal's own file system, which a folder beside it need not be on.
    near = folder if folder.is_dir() else folder.parent
    incoming = Path(tempfile.mkdtemp(prefix=f".{folder.name[:100]}-incoming-", dir=near))
    try:
        for nth, (name, entry) in enumerate(sorted(files.items()), start=1):
            if name not in there:
                say(f"fetching {nth} of {len(files)}: {name}")
                chunks = client.chunks("artifacts", "file", **subject, name=name)
                _write(incoming / name, chunks, name, entry)
        own = None if MANIFEST in files else incoming / MANIFEST
        if own:
            own.write_text(json.dumps(manifest, indent=2), encoding="utf-8")
        _put(incoming, folder, replacing=own)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return manifest


def _check_goal(folder: Path, files: Files) -> set[str]:
    """Return the names of files that are in the folder already. Raises WouldOverwrite where one differs, or where a
    link leads to another folder.
    """
    within = {path for name in files for path in Path(name).parents if path.name}
    if links := sorted(str(path) for path in within if (folder / path).is_symlink()):
        raise WouldOverwrite(f"{links[0]} in {folder} is a link to elsewhere: nothing was fetched; name another folder")
    there = {name for name in files if (folder / name).exists() or (folder / name).is_symlink()}
    differing = [name for name in sorted(there) if not _is_same(folder / name, files[name])]
    if differing:
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise WouldOverwrite(
            f"{folder} has other content under {', '.join(differing[:3])}{more}: nothing was fetched; name another"
        )
    return there


def _is_same(path: Path, entry: Mapping[str, Any]) -> bool:
    if not path.is_file() or path.stat().st_size != entry["bytes"]:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == str(entry["sha256"])


def _write(path: Path, chunks: Iterable[bytes], name: str, entry: Mapping[str, Any]) -> None:
    """Write a file as it comes, and no byte more than the manifest says. Raises Damaged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size, digest = 0, hashlib.sha256()
    with path.open("xb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > entry["bytes"]:
                break
            digest.update(chunk)
            file.write(chunk)
    if size != entry["bytes"] or digest.hexdigest() != entry["sha256"]:
        raise Damaged(f"{name} did not come as its manifest says: nothing was kept; fetch it again")


def _put(incoming: Path, folder: Path, *, replacing: Path | None) -> None:
    """Put the files in place: the whole folder at once where there is none, else each without overwriting another.

    replacing: the one file that takes another's place.
    """
    incoming.chmod(0o777 & ~_umask())
    if not folder.exists():
        os.rename(incoming, folder)
        return
    for path in sorted(incoming.rglob("*")):
        goal = folder / path.relative_to(incoming)
        if path.is_dir():
            goal.mkdir(exist_ok=True)
        elif path == replacing:
            os.replace(path, goal)
        else:
            _link(path, goal)


def _link(path: Path, goal: Path) -> None:
    """Give a file its name, unless something has it. Raises WouldOverwrite."""
    try:
        os.link(path, goal)
    except FileExistsError:
        raise WouldOverwrite(f"{goal} came into being while the files were fetched, and stays as it is") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _print(manifest: Mapping[str, Any], folder: Path, *, as_json: bool) -> None:
    files: Files = manifest["files"]
    if as_json:
        formatting.print_json({"folder": str(folder), **manifest})
        return
    size = sum(entry["bytes"] for entry in files.values())
    click.echo(
        f"{shown(manifest['origin'])}: {len(files)} files, {size:,} bytes, as in their manifest, are in {folder}"
    )
