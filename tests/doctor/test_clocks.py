"""A clock that is off is named, with by how much and which way."""

from datetime import timedelta
from email.utils import format_datetime

import pytest

from registrar.ledger.engine import now
from registrar.ledger.heartbeats import Heartbeat, beat
from tests.doctor.conftest import Pages, SiteOf, looked, troubles


@pytest.mark.both_ledgers
def test_real_clocks_of_one_machine_agree(site: SiteOf, redis_port: int, mlflow_address: str, ledger_url: str):
    here = site(REGISTRAR_BROKER_URL=f"redis://127.0.0.1:{redis_port}/0", MLFLOW_TRACKING_URI=mlflow_address)
    [found] = looked("clocks", here)
    database = "" if ledger_url.startswith("sqlite") else "the database, "
    assert (found.level, found.seen) == ("ok", f"this machine's clock agrees with {database}Redis, MLflow")


@pytest.mark.parametrize(("seconds", "level"), [(-600, "FAIL"), (600, "FAIL"), (-10, "warn"), (10, "warn")])
@pytest.mark.parametrize("whose", ["MLflow", "the receiver"])
def test_one_that_is_off_is_named(site: SiteOf, pages: Pages, seconds: int, level: str, whose: str):
    name = {"MLflow": "MLFLOW_TRACKING_URI", "the receiver": "REGISTRAR_PUBLIC_URL"}[whose]
    for path in ("/health", "/healthz"):
        pages.say(path, "OK", Date=format_datetime(now() + timedelta(seconds=seconds), usegmt=True))
    [(found, seen, do)] = troubles("clocks", site(**{name: pages.root}))
    assert (found, whose in seen, "NTP" in do) == (level, True, True)
    assert ("ahead of" if seconds > 0 else "behind") in seen


def test_where_nobody_can_be_asked_that_is_said(site: SiteOf):
    [(level, seen, _)] = troubles("clocks", site())
    assert (level, "compared with no other" in seen) == ("warn", True)


@pytest.mark.parametrize(("seconds", "level"), [(-60.0, "FAIL"), (60.0, "FAIL"), (-8.0, "warn"), (8.0, "warn")])
def test_a_part_whose_clock_is_off_the_databases_is_named(site: SiteOf, ledger, seconds: float, level: str):
    at = now()
    for instance, off in (("there:1", seconds), ("here:1", 0.2), ("same-machine:1", None)):
        said = Heartbeat("worker", instance, "0.1.0", at, at, at, clock_ahead=off)
        with ledger.write() as connection:
            beat(connection, said)
    [_, (found, seen, do)] = sorted(troubles("clocks", site()), key=lambda one: "worker" in one[1])
    way = "ahead of" if seconds > 0 else "behind"
    assert (found, seen) == (level, f"the clock of worker there:1 is {abs(seconds):.0f} s {way} the database's")
    assert "NTP" in do
