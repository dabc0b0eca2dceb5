"""What a chain of tasks read moments ago is not read again; what it wrote is known, and what failed is forgotten."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from tests.fakes import BORN, FakeRegistry
from worker.registry.entities import ModelSource, Version
from worker.registry.protocol import Registry, RetryableError
from worker.registry.recent_reads import MAX_AGE, RecentReads, recording, reusing


class Chain:
    """asked: the calls that reached the registry. clock: seconds, as of the chain."""

    def __init__(self) -> None:
        self.registry, self.asked, self.clock = FakeRegistry(), list[str](), 0.0
        self.registry.trained("r1")
        self.reads = RecentReads(lambda: self.clock)
        self.task = recording(self._counted(), self.reads)
        self.next_task = reusing(self.task, self.reads)

    def _counted(self) -> Registry:
        chain = self

        class Counted:
            def __getattr__(self, name: str) -> object:
                chain.asked.append(name)
                return getattr(chain.registry, name)

        return Counted()  # type: ignore[return-value]


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    chain.registry.ensure_model("taxi")
    for _ in range(2):
        source = ModelSource("models:/m-r1", "m-r1")
        chain.task.create_version("taxi", source, run_id="r1", description="", tags={})
    chain.asked.clear()
    return chain


READS: dict[str, Callable[[Registry], object]] = {
    "version": lambda registry: registry.version("taxi", 1),
    "run": lambda registry: registry.run("r1"),
    "by_alias": lambda registry: registry.by_alias("taxi", "champion"),
    "recent": lambda registry: registry.recent("taxi", since=5),
}


@pytest.mark.parametrize("name", READS)
def test_what_one_task_read_the_next_need_not_and_later_ones_must(chain, name):
    chain.registry.set_alias("taxi", "champion", 1)
    first = READS[name](chain.task)
    chain.asked.clear()
    assert (READS[name](chain.next_task), chain.asked) == (first, [])
    READS[name](chain.task)
    assert chain.asked == [name]
    chain.clock = MAX_AGE
    READS[name](chain.next_task)
    assert chain.asked == [name, name]


def test_what_was_made_is_known(chain):
    assert (chain.next_task.version("taxi", 2).run_id, chain.asked) == ("r1", [])


def test_one_answer_does_not_make_another_younger(chain):
    chain.clock = MAX_AGE - 1
    chain.task.set_alias("taxi", "champion", 2)
    assert chain.next_task.version("taxi", 2).aliases == ("champion",)
    chain.clock = MAX_AGE
    chain.asked.clear()
    chain.next_task.version("taxi", 2)
    assert chain.asked == ["version"]


WRITES: dict[str, Callable[[Registry], object]] = {
    "set_stage": lambda registry: registry.set_stage("taxi", 1, "Staging"),
    "set_description": lambda registry: registry.set_description("taxi", 1, "of May"),
    "set_alias": lambda registry: registry.set_alias("taxi", "champion", 1),
    "drop_alias": lambda registry: registry.drop_alias("taxi", "challenger"),
    "set_tag": lambda registry: registry.set_tag("taxi", 1, "team", "fares"),
    "drop_tag": lambda registry: registry.drop_tag("taxi", 1, "team"),
    "create_version": lambda registry: registry.create_version(
        "taxi", ModelSource("models:/m-r1"), run_id="r1", description="", tags={}
    ),
}


def everything(registry: Registry) -> tuple[object, ...]:
    read = [registry.version("taxi", number) for number in (1, 2)]
    held = [
        found and in_order(found)
        for found in (registry.by_alias("taxi", "champion"), registry.by_alias("taxi", "challenger"))
    ]
    recent = sorted(registry.recent("taxi").versions, key=lambda version: version.version)
    return [in_order(one) for one in read], held, [(one.version, one.stage, one.description) for one in recent]


def in_order(version: Version) -> Version:
    return replace(version, aliases=tuple(sorted(version.aliases)))


@pytest.fixture
def with_aliases(chain) -> Chain:
    chain.task.set_alias("taxi", "champion", 2)
    chain.task.set_alias("taxi", "challenger", 1)
    everything(chain.task)
    return chain


@pytest.mark.parametrize("name", WRITES)
def test_the_chain_sees_its_own_writes(with_aliases, name):
    chain = with_aliases
    WRITES[name](chain.task)
    assert everything(chain.next_task) == everything(chain.registry)


@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_failed_may_have_been_done_so_all_is_read_anew(with_aliases, name):
    chain = with_aliases
    chain.registry.fail[name] = RetryableError("the line is cut")
    with pytest.raises(RetryableError):
        WRITES[name](chain.task)
    WRITES[name](chain.registry)
    chain.registry.set_stage("taxi", 2, "Archived")  # by hand
    assert everything(chain.next_task) == everything(chain.registry)


@pytest.mark.parametrize("call", ["delete_version", "take_back"])
def test_nothing_of_a_deleted_version_is_kept(with_aliases, call):
    chain = with_aliases
    getattr(chain.task, call)("taxi", 1)
    chain.asked.clear()
    assert [version.version for version in chain.next_task.recent("taxi").versions] == [2]
    assert chain.next_task.by_alias("taxi", "challenger") is None


@pytest.mark.parametrize(("since", "asked"), [(9, []), (10, []), (11, []), (8, ["recent"]), (None, ["recent"])])
def test_a_search_is_reused_for_what_it_covers(chain, since, asked):
    if since == 9:  # a whole one covers all
        chain.task.recent("taxi", since=100)
        since = None
    else:
        chain.registry.glance = 0
        chain.task.recent("taxi", since=10)
    chain.asked.clear()
    chain.next_task.recent("taxi", since=since)
    assert chain.asked == asked


def test_a_search_says_the_time_when_it_was_made_whatever_we_write_after_it(chain):
    at = chain.task.recent("taxi").at
    chain.registry.clock += 1000
    chain.task.set_stage("taxi", 2, "Staging")
    found = chain.next_task.recent("taxi")
    assert found.at == at
    assert [version.stage for version in found.versions if version.version == 2] == ["Staging"]


def test_of_files_only_what_lacks_is_read(chain):
    version = chain.registry.version("taxi", 1)
    chain.registry.files["models/taxi/1"] = {"MLmodel": b"flavors: {}", "weights": b"1" * 100}
    names = chain.task.look_at_files(version, most=0)
    chain.registry.files["models/taxi/1"] = {"MLmodel": b"rewritten", "weights": b"2" * 100}
    assert chain.next_task.look_at_files(version, most=0) == names
    assert chain.task.look_at_files(version, most=0) != names


def test_files_that_were_reused_are_as_old_as_when_they_were_read(chain):
    version = chain.registry.version("taxi", 1)
    chain.registry.files["models/taxi/1"] = {"MLmodel": b"flavors: {}"}
    seen = chain.task.look_at_files(version, most=0)
    chain.registry.files["models/taxi/1"] = {"MLmodel": b"rewritten"}
    chain.clock = MAX_AGE - 1
    assert chain.next_task.look_at_files(version, most=0) == seen
    chain.clock = MAX_AGE
    assert chain.next_task.look_at_files(version, most=0) != seen


def test_the_files_of_another_version_of_that_number_are_others(chain):
    old = chain.registry.version("taxi", 1)
    seen = chain.task.look_at_files(old, most=0)
    chain.registry.delete_model("taxi")
    chain.registry.born = datetime(2026, 11, 23, tzinfo=BORN.tzinfo)
    chain.registry.ensure_model("taxi")
    new = chain.registry.create_version("taxi", ModelSource("x"), run_id="r1", description="", tags={})
    chain.registry.files["models/taxi/1"] = {"MLmodel": b"of another"}
    assert chain.next_task.look_at_files(new, most=0) != seen
