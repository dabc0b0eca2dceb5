"""`registrar check-config`."""

from collections.abc import Iterator
from pathlib import Path

import click

from registrar import policy as policies
from registrar.cli.config import existing_config
from registrar.cli.context import Context
from registrar.cli.explain import explain
from registrar.plugins import kinds, load
from registrar.policy import Policy, PolicyError, options
from registrar.policy.document import Complaint
from registrar.policy.load import located
from registrar.settings import SettingsError, folder_environment, process_environment, resolve

_FOLDERS = {"sources": "webhooks.sources", "channels": "worker.notifiers"}


class NoConfig(SettingsError):
    """There is no registrar.yml to check."""


@click.command("check-config")
@click.argument("file", type=click.Path(path_type=Path), required=False, envvar="REGISTRAR_CONFIG")
@click.option("--secrets/--no-secrets", default=True, help="Whether each secret must be readable from here.")
@click.pass_obj
def check_config(context: Context, file: Path | None, secrets: bool) -> None:
    """Explain what registrar.yml grants, asks and tells, and check it."""
    path = file or _written(context.data) or existing_config(context.data)
    if path is None:
        raise NoConfig("there is no registrar.yml here; name one, or let `registrar up` write a first one")
    policy = policies.load(path)
    click.echo("\n".join(explain(policy)))
    complaints = [
        *_unknown_kinds(policy),
        *_wrong_options(policy),
        *(_unreadable(policy, path.parent) if secrets else ()),
    ]
    if complaints:
        raise PolicyError("this can't work:\n" + "\n".join(located(path, complaints)))
    click.echo(f"\n{path} is fine" + ("; every secret can be read" if secrets else ""))


def _written(data: Path) -> Path | None:
    """The one that `registrar up` used last."""
    written = folder_environment(data).get("REGISTRAR_CONFIG")
    return Path(written) if written else None


def _unknown_kinds(policy: Policy) -> Iterator[Complaint]:
    """A part that is not installed here has no kinds that could be checked."""
    for section, folder in _FOLDERS.items():
        known = kinds(folder)
        for name, entry in getattr(policy, section).items():
            if known and entry.kind not in known:
                yield (section, name, "kind"), f"there is no kind {entry.kind!r}; known are {', '.join(known)}"


def _wrong_options(policy: Policy) -> Iterator[Complaint]:
    """A kind whose own library is missing here (apprise, on the receiver's machine) can't be asked what it takes."""
    for section, folder in _FOLDERS.items():
        for name, entry in getattr(policy, section).items():
            if entry.kind in kinds(folder):
                try:
                    options.read(load(folder, entry.kind), entry.options)
                except ImportError:
                    continue
                except options.BadOptions as error:
                    yield (section, name, "options"), str(error)


def _unreadable(policy: Policy, folder: Path) -> Iterator[Complaint]:
    for at, reference in _references(policy):
        try:
            resolve(reference, environ=process_environment(), folder=folder)
        except SettingsError as error:
            yield at, str(error)


def _references(policy: Policy) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for name, source in policy.sources.items():
        yield from ((("sources", name, "secrets", index), secret) for index, secret in enumerate(source.secrets))
    for name, channel in policy.channels.items():
        for key, reference in (("url", channel.url), ("secret", channel.secret)):
            if reference:
                yield ("channels", name, key), reference


commands = [check_config]
