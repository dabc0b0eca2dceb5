"""Whether a valid registrar.yml fits what is installed here, and whether its secrets can be read from here."""

import logging
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from registrar import plugins
from registrar.config.settings import SettingsError, resolve
from registrar.policy import plugin_options
from registrar.policy.document import Policy
from registrar.policy.errors import Complaint, Place
from registrar.policy.lint import warnings
from registrar.policy.load import with_lines
from registrar.text.wording import nearest

log = logging.getLogger(__name__)
# Kinds of sources whose secret is made here, and those whose secret is any text that both sides are given.
_OURS, _CHOSEN = ("standard", "mlflow"), ("github", "gitlab")
_ADDRESS = re.compile(r"(https?|smtps?)://[^/\s]")


def unsupported_kinds_and_options(policy: Policy) -> list[Complaint]:
    """Return complaints about kinds that do not exist, and options that their kinds do not take."""
    return [*_unknown_kinds(policy), *_wrong_options(policy)]


def load_kinds(policy: Policy | None) -> None:
    """Import the kinds that a policy names, except those that lack a package here."""
    for section, folder in plugin_options.FOLDERS.items():
        for kind in {entry.kind for entry in getattr(policy, section, {}).values()} & set(
            plugin_options.known(section)
        ):
            with suppress(ImportError):
                plugins.load(folder, kind)


def _unknown_kinds(policy: Policy) -> Iterator[Complaint]:
    for section in plugin_options.FOLDERS:
        for name, entry in getattr(policy, section).items():
            if why := plugin_options.unknown(section, entry.kind):
                yield (section, name, "kind"), why


def _wrong_options(policy: Policy) -> Iterator[Complaint]:
    """A kind whose own library is missing here (apprise, on the receiver's machine) can't be asked what it takes."""
    for section, folder in plugin_options.FOLDERS.items():
        for name, entry in getattr(policy, section).items():
            if plugin_options.options(section, entry.kind) is not None:
                try:
                    plugin_options.read(plugins.load(folder, entry.kind), entry.options)
                except plugin_options.BadOptions as error:
                    yield from (((section, name, "options", *at), why) for at, why in error.complaints)


def unreadable(policy: Policy, *, environ: Mapping[str, str], folder: Path) -> Iterator[Complaint]:
    """folder: of registrar.yml."""
    for at, reference in references(policy):
        try:
            resolve(reference, environ=environ, folder=folder)
        except SettingsError as error:
            meant = _suggest_reference(reference, environ, folder) or _how_to_make(policy, at, reference, folder)
            yield at, f"{error}{meant}"


def located_warnings(policy: Policy, *, environ: Mapping[str, str], path: Path) -> list[str]:
    """Return the warnings about a usable registrar.yml, each as FILE:LINE: KEY: what is wrong, and would be right."""
    return with_lines(path, [*warnings(policy), *bad_addresses(policy, environ=environ, folder=path.parent)])


def warn(policy: Policy, *, environ: Mapping[str, str], path: Path) -> None:
    """Log the warnings, when a process starts."""
    for line in located_warnings(policy, environ=environ, path=path):
        log.warning("%s", line)


def bad_addresses(policy: Policy, *, environ: Mapping[str, str], folder: Path) -> Iterator[Complaint]:
    """Yield channels whose address can be read and is not a URL."""
    for name, channel in policy.channels.items():
        if channel.url is None or channel.kind in ("apprise", "log"):
            continue
        with suppress(SettingsError):
            value = resolve(channel.url, environ=environ, folder=folder)
            if not _ADDRESS.match(value):
                yield (
                    ("channels", name, "url"),
                    f"{channel.url} holds no address: it begins with {_expected_prefix(channel.kind)}",
                )


def _expected_prefix(kind: str) -> str:
    return "smtp:// or smtps://" if kind == "email" else "https://"


def references(policy: Policy) -> Iterator[tuple[Place, str]]:
    """Yield each reference to a secret, as env:NAME or file:PATH, and its place."""
    for name, source in policy.sources.items():
        yield from ((("sources", name, "secrets", index), secret) for index, secret in enumerate(source.secrets))
    for name, channel in policy.channels.items():
        for key, reference in (("url", channel.url), ("secret", channel.secret)):
            if reference:
                yield ("channels", name, key), reference
    if policy.access.oidc:
        yield ("access", "oidc", "client_secret"), policy.access.oidc.client_secret


def _how_to_make(policy: Policy, at: Place, reference: str, folder: Path) -> str:
    """Say how to make a missing secret; not for those that come from another product, such as Slack's."""
    kind, _, name = reference.partition(":")
    source = policy.sources[str(at[1])].kind if at[0] == "sources" else None
    if source not in (*_OURS, *_CHOSEN) and at[::2] != ("channels", "secret"):
        return ""
    then = f"; give it to {source}, too" if source in _CHOSEN else ""
    if kind == "env":
        return f'; to make one: export {name}="$(registrar secret --webhook)"{then}'
    if (folder / name).exists():
        return ""
    return f"; to make one: registrar secret --webhook --to {shlex.quote(str(folder / name))}{then}"


def _suggest_reference(reference: str, environ: Mapping[str, str], folder: Path) -> str:
    """Suggest an existing variable or file with a similar name."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        similar = nearest(name, (each for each, value in environ.items() if value.strip()), like=0.8)
        return f"; did you mean env:{similar}?" if similar else ""
    path = folder / name
    with suppress(OSError):
        if similar := nearest(path.name, (each.name for each in path.parent.iterdir() if each.is_file()), like=0.8):
            return f"; did you mean file:{Path(name).with_name(similar)}?"
    return ""
