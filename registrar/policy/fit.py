"""Whether a valid registrar.yml fits what is installed here, and whether its secrets can be read from here."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from registrar.plugins import kinds, load
from registrar.policy import options
from registrar.policy.document import Complaint, Policy
from registrar.settings import SettingsError, resolve

_FOLDERS = {"sources": "webhooks.sources", "channels": "worker.notifiers"}


def misfits(policy: Policy) -> list[Complaint]:
    """Kinds that do not exist, and options that their kinds do not take."""
    return [*_unknown_kinds(policy), *_wrong_options(policy)]


def load_kinds(policy: Policy | None) -> None:
    """Import the kinds that a policy names; what is not installed here is passed over."""
    for section, folder in _FOLDERS.items():
        for kind in {entry.kind for entry in getattr(policy, section, {}).values()} & set(kinds(folder)):
            with suppress(ImportError):
                load(folder, kind)


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


def unreadable(policy: Policy, *, environ: Mapping[str, str], folder: Path) -> Iterator[Complaint]:
    """folder: of registrar.yml."""
    for at, reference in _references(policy):
        try:
            resolve(reference, environ=environ, folder=folder)
        except SettingsError as error:
            yield at, str(error)


def _references(policy: Policy) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for name, source in policy.sources.items():
        yield from ((("sources", name, "secrets", index), secret) for index, secret in enumerate(source.secrets))
    for name, channel in policy.channels.items():
        for key, reference in (("url", channel.url), ("secret", channel.secret)):
            if reference:
                yield ("channels", name, key), reference
    if policy.access.oidc:
        yield ("access", "oidc", "client_secret"), policy.access.oidc.client_secret
