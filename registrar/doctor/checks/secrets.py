"""Checks the secrets that registrar.yml names: that they are readable, strong, not shared, and private."""

import stat
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from registrar import plugins
from registrar.config.settings import ENVIRONMENT_FILE, Settings, SettingsError
from registrar.doctor import DoctorContext, Finding, fail, ok, warn
from registrar.policy import Policy, installation_check
from registrar.text.wording import plural

_SOURCES = "webhooks.sources"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_ENTER = stat.S_IXGRP | stat.S_IXOTH


def check(context: DoctorContext) -> Iterator[Finding]:
    yield from _open_files(context)
    if context.policy is None:
        return
    folder = context.settings.config_path.parent
    missing = list(installation_check.unreadable(context.policy, environ=context.settings.environ, folder=folder))
    for path, problem in missing:
        key = ".".join(map(str, path))
        yield warn(
            f"{key}: {problem} where this command runs",
            "That is fine if the part that uses it has it: the receiver for sources, the worker for channels; else put "
            "it there",
        )
    weak = list(_weak(context.policy, context.settings))
    yield from weak
    yield from _shared(context.policy, context.settings)
    if not missing and not weak:
        count = plural(len(set(context.policy.references())), "secret")
        yield ok(f"{count}: all can be read, and are valid for their kind")


def _weak(policy: Policy, settings: Settings) -> Iterator[Finding]:
    for name, source in policy.sources.items():
        for reference in source.secrets:
            if source.kind not in plugins.kinds(_SOURCES):
                continue
            try:
                plugins.load(_SOURCES, source.kind).check_secret(settings.secret(reference))
            except (SettingsError, ImportError):  # reported as missing; or the receiver's package is not installed here
                continue
            except ValueError as error:
                advice = "Create a new one (`registrar secret --webhook`), list both, and drop the old one later"
                yield fail(f"sources.{name}.secrets: {reference}: {error}", advice)


def _shared(policy: Policy, settings: Settings) -> Iterator[Finding]:
    """Warn about sources with the same secret: each could sign as the other."""
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
            yield warn(f"the sources {both} have the same secret", "Give each its own, or one can send as the other")


def _open_files(context: DoctorContext) -> Iterator[Finding]:
    for path in sorted({context.data / ENVIRONMENT_FILE, *_files(context)}):
        if _others_can_read(path):
            yield warn(f"{path} can be read by other users of this machine", f"chmod 600 {path}")


def _files(context: DoctorContext) -> Iterator[Path]:
    for reference in context.policy.references() if context.policy else ():
        kind, _, name = reference.partition(":")
        if kind == "file":
            yield context.settings.config_path.parent / name


def _others_can_read(path: Path) -> bool:
    """Return whether other users have rights to a file and may enter all its folders."""
    try:
        folders = [folder.stat().st_mode for folder in path.resolve().parents]
        return bool(path.stat().st_mode & _OTHERS) and all(mode & _ENTER for mode in folders)
    except OSError:
        return False
