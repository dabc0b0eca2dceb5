"""The secrets that registrar.yml names: there, strong enough for their kind, and in nobody else's eyes."""

import stat
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from registrar import plugins
from registrar.config.settings import ENVIRONMENT_FILE, Settings, SettingsError
from registrar.doctor import DoctorContext, Finding, fail, ok, warn
from registrar.policy import Policy, installation_check

_SOURCES = "webhooks.sources"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def look(site: DoctorContext) -> Iterator[Finding]:
    yield from _open_files(site)
    if site.policy is None:
        return
    folder = site.settings.config_path.parent
    missing = list(installation_check.unreadable(site.policy, environ=site.settings.environ, folder=folder))
    for at, why in missing:
        place = ".".join(map(str, at))
        yield warn(
            f"{place}: {why} for whoever runs this command",
            "Right where the part that needs it has it: sources the receiver, channels the worker; else put it there",
        )
    weak = list(_weak(site.policy, site.settings))
    yield from weak
    yield from _shared(site.policy, site.settings)
    if not missing and not weak:
        yield ok(f"all {len(set(site.policy.references()))} can be read and have the form of their kind")


def _weak(policy: Policy, settings: Settings) -> Iterator[Finding]:
    for name, source in policy.sources.items():
        for reference in source.secrets:
            if source.kind not in plugins.kinds(_SOURCES):
                continue
            try:
                plugins.load(_SOURCES, source.kind).check_secret(settings.secret(reference))
            except (SettingsError, ImportError):  # missing is said already; the receiver's half is not installed here
                continue
            except ValueError as error:
                advice = "Make a new one (`registrar secret --webhook`), list both, and drop the old one later"
                yield fail(f"sources.{name}.secrets: {reference}: {error}", advice)


def _shared(policy: Policy, settings: Settings) -> Iterator[Finding]:
    """Whoever has one of them could speak as the other."""
    users: dict[str, set[str]] = defaultdict(set)
    for name, source in policy.sources.items():
        for reference in source.secrets:
            try:
                users[settings.secret(reference)].add(name)
            except SettingsError:
                continue
    for names in users.values():
        if len(names) > 1:
            both = " and ".join(sorted(names))
            yield warn(f"the sources {both} have the same secret", "Give each its own: what one sends, the other could")


def _open_files(site: DoctorContext) -> Iterator[Finding]:
    for path in sorted({site.data / ENVIRONMENT_FILE, *_files(site)}):
        if _others_get_at(path):
            yield warn(f"{path} can be read by other users of this machine", f"chmod 600 {path}")


def _files(site: DoctorContext) -> Iterator[Path]:
    for reference in site.policy.references() if site.policy else ():
        kind, _, name = reference.partition(":")
        if kind == "file":
            yield site.settings.config_path.parent / name


def _others_get_at(path: Path) -> bool:
    """A file that all may read in a folder that nobody else may enter is nobody else's."""
    try:
        ways = [folder.stat().st_mode for folder in path.resolve().parents]
        return bool(path.stat().st_mode & _OTHERS) and all(mode & _OTHERS & 0o011 for mode in ways)
    except OSError:
        return False
