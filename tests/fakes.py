"""A registry in memory. tests/worker/test_registry_contract.py holds it and the real one to the same claims."""

import copy
import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from worker.registry import conversion, entities
from worker.registry.entities import Experiment, FilesSeen, Model, ModelSource, Recent, Run, Version
from worker.registry.protocol import NotFound, PermanentError, Refused

BORN = datetime(2026, 11, 22, 12, tzinfo=UTC)


class FakeRegistry:
    """writes: what was written, in order, as (call, arguments...). fail: raised by the next call of that name;
    refuse: by every call of that name, if the function says so of its arguments.

    born: when what is registered now is made. looks: whose files were looked at, in order.

    clock: what changes now has this time (as Version.changed). glance: how many versions `recent` reads at no cost; of
    a model with more, it gives those alone that are asked for. unlisted: versions that no search shows, though they are
    there.
    """

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.sources: dict[tuple[str, str], ModelSource] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.writes: list[tuple[object, ...]] = []
        self.fail: dict[str, Exception] = {}
        self.refuse: dict[str, Callable[..., Exception | None]] = {}
        self.address = "fake://registry"
        self.born = BORN
        self.clock = int(BORN.timestamp() * 1000)
        self.glance = 20
        self.unlisted: set[tuple[str, int]] = set()
        self.looks: list[tuple[str, int]] = []
        self.before_write: Callable[[], None] = lambda: None
        self._experiments: dict[str, Experiment] = {}
        self._models: dict[str, dict[int, Version]] = {}
        self._aliases: dict[str, dict[str, int]] = {}
        self._changed: dict[str, int] = {}
        self._ids = itertools.count(1)

    def guarded(self, before_write: Callable[[], None]) -> "FakeRegistry":
        """The same registry through another door: each worker has a lease of its own."""
        view = copy.copy(self)
        view.before_write = before_write
        return view

    def _write(self, call: str, *arguments: object) -> None:
        self.before_write()
        self._maybe_fail(call)
        if error := self.refuse.get(call, lambda *_: None)(*arguments):
            raise error
        self.writes.append((call, *arguments))

    def _maybe_fail(self, call: str) -> None:
        if call in self.fail:
            raise self.fail.pop(call)

    def delete_model(self, name: str) -> None:
        """By hand, with all its versions; their numbers begin anew."""
        del self._models[name], self._aliases[name]

    def delete_experiment(self, name: str) -> None:
        """By hand: MLflow keeps it, and its name."""
        self._experiments[name] = replace(self._experiments[name], deleted=True)

    # What a test says is there.
    def trained(self, run_id: str, model: str | None = "model", **metrics: float) -> Run:
        run = Run(run_id, f"run-{run_id}", "1", "FINISHED", "ada", BORN, f"mlflow-artifacts:/1/{run_id}/artifacts")
        self.runs[run_id] = replace(run, metrics=metrics)
        if model:
            self.sources[run_id, model] = ModelSource(f"models:/m-{run_id}", f"m-{run_id}")
        return self.runs[run_id]

    def evaluated(self, run_id: str, version: int, model: str = "taxi", **metrics: float) -> Run:
        """A run that says it evaluated a version."""
        run = replace(self.trained(run_id, None, **metrics), tags={"evaluated_model": f"models:/{model}/{version}"})
        self.runs[run_id] = run
        return run

    def run(self, run_id: str) -> Run:
        self._maybe_fail("run")
        if run_id not in self.runs:
            raise NotFound(f"reading run {run_id}: no such run")
        return self.runs[run_id]

    def search_runs(
        self,
        experiment: str,
        *,
        filter_string: str = "",
        order_by: Iterable[str] = (),
        max_results: int = 100,
        run_view_type: str = "ACTIVE_ONLY",
    ) -> list[Run]:
        """Only the filters that tests use: none, or `metrics.NAME < X`."""
        self._maybe_fail("search_runs")
        if (found := self.experiment(experiment)) is None:
            raise NotFound(f"there is no experiment {experiment!r}")
        runs = [run for run in self.runs.values() if run.experiment_id == found.id]
        if filter_string:
            key, operator, value = filter_string.split()
            if operator != "<":
                raise Refused(f"searching the runs: can't read {filter_string!r}")
            name = key.removeprefix("metrics.")
            runs = [run for run in runs if run.metrics.get(name, float("inf")) < float(value)]
        for order in order_by:
            name = order.split()[0].removeprefix("metrics.")
            runs.sort(key=lambda run: run.metrics[name], reverse=order.endswith("DESC"))
        return runs[:max_results]

    def experiments(self) -> list[Experiment]:
        return [each for each in self._experiments.values() if not each.deleted]

    def experiment(self, name: str) -> Experiment | None:
        return self._experiments.get(name)

    def create_experiment(self, name: str, *, tags: Mapping[str, str]) -> str:
        self._write("create_experiment", name)
        if name in self._experiments:
            raise PermanentError(f"creating experiment {name!r}: it exists")
        self._experiments[name] = Experiment(str(next(self._ids)), name, "mlflow-artifacts:/1", BORN)
        return self._experiments[name].id

    def source_of(self, run: Run, artifact_path: str) -> ModelSource:
        try:
            return replace(self.sources[run.id, artifact_path], name=artifact_path)
        except KeyError:
            raise NotFound(f"run {run.id} logged no model named {artifact_path!r}") from None

    def logged_models(self, run: Run) -> list[str]:
        return sorted(name for run_id, name in self.sources if run_id == run.id)

    def models(self, *, max_results: int | None = 100) -> list[Model]:
        self._maybe_fail("models")
        return [self.model(name) for name in sorted(self._models)][:max_results]

    def model(self, name: str) -> Model:
        if name not in self._models:
            raise NotFound(f"reading model {name!r}: no such model")
        newest = max(self._models[name], default=0)
        return Model(name, "", {}, dict(self._aliases[name]), BORN, self._changed.get(name, self.clock), newest)

    def ensure_model(self, name: str) -> None:
        if name not in self._models:
            self._write("create_model", name)
            self._models[name], self._aliases[name] = {}, {}

    def version(self, model: str, version: int) -> Version:
        try:
            found = self._models[model][version]
        except KeyError:
            raise NotFound(f"reading {model} version {version}: no such version") from None
        aliases = tuple(alias for alias, number in self._aliases[model].items() if number == version)
        return replace(found, aliases=aliases)

    def versions(self, model: str, *, run_id: str | None = None, newest: int | None = None) -> list[Version]:
        listed = [v for v in self._models.get(model, {}).values() if (model, v.version) not in self.unlisted]
        found = [v for v in listed if run_id is None or v.run_id == run_id]
        return sorted(found, key=lambda v: -v.version)[:newest]

    def recent(self, model: str, *, since: int | None = None) -> Recent:
        everything = sorted(self.versions(model), key=lambda v: -v.changed)
        at = max((v.changed for v in everything), default=0)
        if since is None or len(everything) <= self.glance:
            return Recent(everything, at, whole=True)
        return Recent([v for v in everything if v.changed >= since], at, whole=False)

    def by_alias(self, model: str, alias: str) -> Version | None:
        number = self._aliases.get(model, {}).get(alias)
        return self.version(model, number) if number in self._models.get(model, {}) else None

    def copies(self, model: str) -> list[Version]:
        everything = [version for versions in self._models.values() for version in versions.values()]
        return [version for version in everything if version.source.startswith(f"models:/{model}/")]

    def create_version(
        self, model: str, source: ModelSource, *, run_id: str, description: str, tags: Mapping[str, str]
    ) -> Version:
        """Of a long description as MLflow on PostgreSQL does."""
        if model not in self._models:
            raise NotFound(f"registering: no model {model!r}")
        self._write("create_version", model)
        if len(description) > entities.MAX_DESCRIPTION:
            raise PermanentError(f"registering {model}: value too long for type character varying(5000)")
        number = max(self._models[model], default=0) + 1
        what = (run_id, source.uri, description, dict(tags), self.born)
        made = Version(model, number, "None", *what, changed=self.clock)
        self._models[model][number] = made
        self._changed[model] = self.clock
        return made

    def _change(self, model: str, version: int, **changes: object) -> None:
        self.version(model, version)
        self._models[model][version] = replace(self._models[model][version], **changes)  # type: ignore[arg-type]
        self._changed[model] = self.clock

    def set_stage(self, model: str, version: int, stage: str) -> Version:
        self._write("set_stage", model, version, stage)
        self._change(model, version, stage=stage, changed=self.clock)
        return self.version(model, version)

    def set_alias(self, model: str, alias: str, version: int) -> None:
        self._write("set_alias", model, alias, version)
        self.version(model, version)
        self._aliases[model][alias] = version

    def drop_alias(self, model: str, alias: str) -> None:
        self._write("drop_alias", model, alias)
        self._aliases[model].pop(alias, None)

    def set_description(self, model: str, version: int, description: str) -> Version:
        """As MLflow on PostgreSQL does."""
        self._write("set_description", model, version)
        if len(description) > entities.MAX_DESCRIPTION:
            raise PermanentError(
                f"describing {model} version {version}: value too long for type character varying(5000)"
            )
        self._change(model, version, description=description, changed=self.clock)
        return self.version(model, version)

    def set_tag(self, model: str, version: int, key: str, value: str) -> None:
        self._write("set_tag", model, version, key)
        self._change(model, version, tags={**self.version(model, version).tags, key: entities.cut_tag(value)})

    def drop_tag(self, model: str, version: int, key: str) -> None:
        self._write("drop_tag", model, version, key)
        self._change(model, version, tags={k: v for k, v in self.version(model, version).tags.items() if k != key})

    def delete_version(self, model: str, version: int) -> None:
        """As MLflow does: nothing is asked, and aliases go with it."""
        self._write("delete_version", model, version)
        self.take_back(model, version)

    def take_back(self, model: str, version: int) -> None:
        self.version(model, version)
        del self._models[model][version]
        self._changed[model] = self.clock
        self._aliases[model] = {a: n for a, n in self._aliases[model].items() if n != version}

    def download_run(self, run_id: str, path: str | None, folder: Path) -> Path:
        self._maybe_fail("download_run")
        return self._unpack(f"runs/{run_id}/{path or ''}", folder / Path(path or "").name)

    def files_of(self, model: str, version: int) -> list[str]:
        self._maybe_fail("files_of")
        self.version(model, version)
        return sorted({name.partition("/")[0] for name in self.files.get(f"models/{model}/{version}", {})})

    def mlmodel(self, model: str, version: int) -> Mapping[str, Any]:
        self.version(model, version)
        return conversion.read_mlmodel(self.files.get(f"models/{model}/{version}", {}).get("MLmodel", b"").decode())

    def look_at_files(self, version: Version, *, most: int, known: FilesSeen | None = None) -> FilesSeen:
        """Of all files or of none, but for MLmodel."""
        self._maybe_fail("look_at_files")
        model, number = version.model, version.version
        if known is None or known.listing is None:
            self.version(model, number)
            self.looks.append((model, number))
        files = self.files.get(f"models/{model}/{number}", {})
        listing = (known.listing if known else None) or sorted((name, len(text)) for name, text in files.items())
        now = {name: hashlib.sha256(text).hexdigest() for name, text in files.items()}
        hashes = {**now, **(known.hashes if known else {})}
        small = sum(size for _, size in listing) <= most
        seen = [(name, size, hashes.get(name) if small or name == "MLmodel" else None) for name, size in listing]
        digest = hashlib.sha256(repr(seen).encode()).hexdigest()
        compared = "content" if small else "names and sizes"
        return FilesSeen(f"files:sha256:{digest}", compared, "", listing, hashes)

    def size_of(self, model: str, version: int) -> int:
        self._maybe_fail("size_of")
        self.version(model, version)
        return sum(map(len, self.files.get(f"models/{model}/{version}", {}).values()))

    def download_version(self, model: str, version: int, folder: Path) -> Path:
        return self._unpack(f"models/{model}/{version}", folder / "artifacts")

    def _unpack(self, key: str, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        for name, content in self.files.get(key, {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder
