"""Each way for the configuration not to be usable has its line."""

import pytest

from registrar.config.encryption import Encryptor
from registrar.config.key_generation import new_key
from registrar.ledger import Ledger
from registrar.ledger.engine import now
from registrar.ledger.heartbeats import Heartbeat, beat
from registrar.policy.load import parse
from registrar.queries.policy_view import digest
from tests.doctor.conftest import POLICY, SiteOf, looked, troubles


def test_a_good_one_has_no_trouble(site: SiteOf):
    assert troubles("config", site()) == []
    assert looked("config", site())[0].seen.endswith("registrar.yml is valid: 1 source, 1 channel")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version: 1\nsorces: {}", ":2: sorces: unknown key"),
        ("version: [", "not YAML"),
        (POLICY.replace("file:ci.whsec", "hunter2"), "a secret is named here, never written"),
    ],
)
def test_a_file_that_can_not_be_used_is_said(site: SiteOf, text: str, says: str):
    there = site()
    there.settings.config_path.write_text(text)
    [found, *_] = troubles("config", there)
    assert (found[0], says in found[1], "check-config" in found[2]) == ("FAIL", True, True)
    assert "hunter2" not in found[1]


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (POLICY.replace("kind: standard", "kind: standart"), "there is no kind 'standart'"),
        (POLICY.replace("kind: log", "kind: log, options: {colour: red}"), "options"),
    ],
)
def test_what_does_not_fit_what_is_installed_is_said_with_its_line(site: SiteOf, policy: str, says: str):
    [(level, seen, _)] = troubles("config", site(policy))
    assert (level, says in seen, "registrar.yml:" in seen) == ("FAIL", True, True)


def test_a_key_that_is_none_is_said(site: SiteOf):
    [(level, seen, _)] = troubles("config", site(REGISTRAR_SECRET_KEY="hunter2-hunter2"))
    assert (level, "`registrar secret` makes one" in seen, "hunter2" in seen) == ("FAIL", True, False)


def test_a_policy_without_sources_is_said(site: SiteOf):
    assert [level for level, *_ in troubles("config", site("version: 1"))] == ["warn"]


def lives(ledger: Ledger, part: str, key: str, policy: str = POLICY) -> None:
    at = now()
    given = {"keys": ",".join(Encryptor(key).digests), "config": digest(parse(policy))}
    with ledger.write() as connection:
        beat(connection, Heartbeat(part, f"{part}-host:1", "0.1.0", at, at, at, **given))


def test_parts_with_the_same_key_and_file_have_no_trouble(site: SiteOf, ledger: Ledger):
    here = site()
    lives(ledger, "receiver", here.settings.secret_key)
    lives(ledger, "worker", here.settings.secret_key)
    assert troubles("config", here) == []


def test_a_part_with_another_key_is_named_and_no_key_is_shown(site: SiteOf, ledger: Ledger):
    here, other = site(), new_key()
    lives(ledger, "receiver", here.settings.secret_key)
    lives(ledger, "worker", other)
    [(level, seen, do)] = troubles("config", here)
    assert (level, "worker worker-host:1 has another REGISTRAR_SECRET_KEY" in seen) == ("FAIL", True)
    assert not any(secret in seen + do for secret in (other, here.settings.secret_key, *Encryptor(other).digests))


def test_a_part_with_another_file_is_named(site: SiteOf, ledger: Ledger):
    here = site()
    lives(ledger, "receiver", here.settings.secret_key)
    lives(ledger, "worker", here.settings.secret_key, POLICY + "max_unfinished: 70\n")
    [(level, seen, do)] = troubles("config", here)
    assert (level, seen) == ("FAIL", "worker worker-host:1 uses another registrar.yml than the other parts")
    assert "restart the worker" in do


def test_a_key_exchange_whose_parts_open_what_the_others_close_is_no_trouble(site: SiteOf, ledger: Ledger):
    new, old = new_key(), new_key()
    here = site(REGISTRAR_SECRET_KEY=f"{new},{old}")
    lives(ledger, "receiver", f"{new},{old}")
    lives(ledger, "worker", f"{old},{new}")
    assert troubles("config", here) == []


def test_what_lies_here_and_is_not_what_the_parts_have_is_said(site: SiteOf, ledger: Ledger):
    here = site(POLICY.replace("channels:", "max_unfinished: 70\nchannels:"))
    lives(ledger, "receiver", new_key())
    found = troubles("config", here)
    assert [level for level, _, _ in found] == ["warn", "warn"]
    assert "REGISTRAR_SECRET_KEY here differs from that of the running parts" in found[0][1]
    assert "registrar.yml differs from the file that the running parts have read" in found[1][1]
