"""Reuse what the tasks of one chain read from the registry or wrote to it moments ago.

A chain is what one worker does about one event without a pause (worker/celery_tasks.py). Its tasks evaluate the same
version, run and files, and each call costs as much as all else about an event.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from worker.registry.entities import FilesSeen, ModelSource, Recent, Run, Version
from worker.registry.protocol import Registry

MAX_AGE = 5.0  # seconds


class RecentReads:
    """What one chain read or wrote, each entry for MAX_AGE seconds. For one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[tuple[Any, ...], tuple[float, Any]] = {}

    def clear(self) -> None:
        self._entries.clear()

    def put(self, key: tuple[Any, ...], value: Any) -> None:
        self._entries[key] = (self._clock(), value)

    def get(self, key: tuple[Any, ...]) -> Any:
        """Return an entry's value; None where there is none, or it is too old."""
        at, value = self._entries.get(key, (0.0, None))
        return value if value is not None and self._clock() - at < MAX_AGE else None

    def drop(self, *key: Any) -> None:
        """Drop the entries whose key begins with this."""
        self._entries = {each: entry for each, entry in self._entries.items() if each[: len(key)] != key}

    def change(self, prefix: tuple[Any, ...], changed: Callable[[Any], Any]) -> None:
        """Apply one of our own writes to the entries whose key begins so; the age of what was read stays."""
        for key, (at, value) in self._entries.items():
            if key[: len(prefix)] == prefix:
                self._entries[key] = (at, changed(value))


def recording(inner: Registry, reads: RecentReads) -> Registry:
    """Return a registry that asks each time, and keeps the answers in `reads`."""
    return cast("Registry", _Recording(inner, reads))


def reusing(registry: Registry, reads: RecentReads) -> Registry:
    """Return a registry that answers from `reads` where it can. registry: that of recording()."""
    return cast("Registry", _Reusing(registry, reads))


@dataclass(frozen=True)
class _Search:
    """What Registry.recent returned for `since`."""

    since: int | None
    found: Recent

    def covers(self, since: int | None) -> bool:
        """Return whether a search since then would find no version that this one lacks."""
        return self.found.whole or (since is not None and self.since is not None and since >= self.since)

    def after(self, written: Version) -> "_Search":
        """Return it with the version that we wrote. The time of the search stays, so that the next one looks back to
        before it.
        """
        others = [version for version in self.found.versions if version.version != written.version]
        return replace(self, found=replace(self.found, versions=[replace(written, aliases=()), *others]))


def _files(version: Version) -> tuple[Any, ...]:
    return ("files", version.model, version.version, version.created_at)


class _Recording:
    def __init__(self, inner: Registry, reads: RecentReads) -> None:
        self._inner = inner
        self._reads = reads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def version(self, model: str, version: int) -> Version:
        return self._keep(self._inner.version(model, version))

    def by_alias(self, model: str, alias: str) -> Version | None:
        if found := self._inner.by_alias(model, alias):
            self._reads.put(("alias", model, alias), self._keep(found).version)
        return found

    def run(self, run_id: str) -> Run:
        run = self._inner.run(run_id)
        self._reads.put(("run", run_id), run)
        return run

    def recent(self, model: str, *, since: int | None = None) -> Recent:
        found = self._inner.recent(model, since=since)
        self._reads.put(("recent", model), _Search(since, found))
        return found

    def look_at_files(self, version: Version, *, most: int, known: FilesSeen | None = None) -> FilesSeen:
        seen = self._inner.look_at_files(version, most=most, known=known)
        if known is None or known.listing is None:
            self._reads.put(_files(version), seen)
        else:
            self._reads.change(_files(version), lambda _: seen)  # as old as what was known
        return seen

    def create_version(self, model: str, source: ModelSource, **given: Any) -> Version:
        with self._writing():
            created = self._wrote(self._inner.create_version(model, source, **given))
        if source.address:
            self._reads.put(_files(created), FilesSeen("", "", source.address))
        return created

    def set_stage(self, model: str, version: int, stage: str) -> Version:
        with self._writing():
            return self._wrote(self._inner.set_stage(model, version, stage))

    def set_description(self, model: str, version: int, description: str) -> Version:
        with self._writing():
            return self._wrote(self._inner.set_description(model, version, description))

    def set_alias(self, model: str, alias: str, version: int) -> None:
        with self._writing():
            self._inner.set_alias(model, alias, version)
        self._move_alias(model, alias, version)

    def drop_alias(self, model: str, alias: str) -> None:
        with self._writing():
            self._inner.drop_alias(model, alias)
        self._move_alias(model, alias, None)

    def set_tag(self, model: str, version: int, key: str, value: str) -> None:
        with self._writing():
            self._inner.set_tag(model, version, key, value)
        self._reads.drop("version", model, version)

    def drop_tag(self, model: str, version: int, key: str) -> None:
        with self._writing():
            self._inner.drop_tag(model, version, key)
        self._reads.drop("version", model, version)

    def delete_version(self, model: str, version: int) -> None:
        self._reads.clear()
        self._inner.delete_version(model, version)

    def take_back(self, model: str, version: int) -> None:
        self._reads.clear()
        self._inner.take_back(model, version)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Forget everything where a write fails: it may have been done all the same."""
        try:
            yield
        except BaseException:
            self._reads.clear()
            raise

    def _keep(self, version: Version) -> Version:
        self._reads.put(("version", version.model, version.version), version)
        return version

    def _wrote(self, version: Version) -> Version:
        self._reads.change(("recent", version.model), lambda search: search.after(version))
        return self._keep(version)

    def _move_alias(self, model: str, alias: str, number: int | None) -> None:
        def moved(version: Version) -> Version:
            others = tuple(each for each in version.aliases if each != alias)
            return replace(version, aliases=(*others, alias) if version.version == number else others)

        self._reads.drop("alias", model, alias)
        self._reads.change(("version", model), moved)


class _Reusing:
    def __init__(self, registry: Registry, reads: RecentReads) -> None:
        self._registry = registry
        self._reads = reads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def version(self, model: str, version: int) -> Version:
        return self._reads.get(("version", model, version)) or self._registry.version(model, version)

    def by_alias(self, model: str, alias: str) -> Version | None:
        number = self._reads.get(("alias", model, alias))
        return self.version(model, number) if number else self._registry.by_alias(model, alias)

    def run(self, run_id: str) -> Run:
        return self._reads.get(("run", run_id)) or self._registry.run(run_id)

    def recent(self, model: str, *, since: int | None = None) -> Recent:
        search: _Search | None = self._reads.get(("recent", model))
        return search.found if search and search.covers(since) else self._registry.recent(model, since=since)

    def look_at_files(self, version: Version, *, most: int, known: FilesSeen | None = None) -> FilesSeen:
        known = known or self._reads.get(_files(version))
        return self._registry.look_at_files(version, most=most, known=known)
