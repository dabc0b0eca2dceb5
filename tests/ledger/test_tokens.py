"""Tokens of the API, and what was for one use: on both databases."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from registrar.config.key_generation import TOKEN, new_token
from registrar.events.event import Actor
from registrar.ledger import Ledger, tokens
from registrar.ledger.journal.stream import entries
from registrar.ledger.journal.verify import verify
from registrar.ledger.tokens import NameTaken, NoSuchToken, Token
from registrar.ledger.used_nonces import is_spent, spend

pytestmark = pytest.mark.both_ledgers

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ADA, BOB = Actor("local:ada", "ada on host"), Actor("local:bob", "bob on host")
SECRET = new_token()
CI = Token("ci", tokens.digest(SECRET), "viewer", None, NOON, NOON + timedelta(days=90))


@pytest.fixture
def kept(ledger: Ledger) -> Ledger:
    with ledger.write() as connection:
        tokens.create(connection, CI, ADA)
    return ledger


def test_it_is_found_by_its_digest_alone(kept: Ledger):
    with kept.read() as connection:
        assert tokens.find(connection, tokens.digest(SECRET)) == CI
        assert tokens.find(connection, tokens.digest(new_token())) is None
        assert tokens.find(connection, SECRET) is None


def test_a_name_is_not_used_twice_even_when_the_first_is_revoked(kept: Ledger):
    with kept.write() as connection:
        tokens.revoke(connection, "ci", BOB, at=NOON)
        with pytest.raises(NameTaken, match="choose another"):
            tokens.create(connection, Token("ci", tokens.digest(new_token()), "operator", None, NOON), ADA)
        assert [each.role for each in tokens.all_tokens(connection)] == ["viewer"]


def test_revoked_it_stays_so_since_then(kept: Ledger):
    with kept.write() as connection:
        tokens.revoke(connection, "ci", BOB, at=NOON)
        again = tokens.revoke(connection, "ci", BOB, at=NOON + timedelta(days=1))
        assert (again.revoked_at, again.state(NOON)) == (NOON, "revoked")
        with pytest.raises(NoSuchToken, match="there is no token cd"):
            tokens.revoke(connection, "cd", BOB, at=NOON)


def test_the_journal_says_who_made_it_and_who_revoked_it_once_and_never_the_secret(kept: Ledger):
    with kept.write() as connection:
        for hours in (1, 2):
            tokens.revoke(connection, "ci", BOB, at=NOON + timedelta(hours=hours))
        with pytest.raises(NameTaken):
            tokens.create(connection, CI, BOB)
    with kept.read() as connection:
        assert verify(connection).walk.count == 2
        written = list(entries(connection))
    said = [(entry["kind"], entry["actor"], entry["at"][11:16], json.loads(entry["body"])["said"]) for entry in written]
    made = {"name": "ci", "role": "viewer", "person": None, "expires_at": "2027-02-20T12:00:00.000000+00:00"}
    made["fingerprint"] = tokens.fingerprint(CI.sha256)
    assert said == [
        ("token.created", "local:ada", "12:00", made),
        ("token.revoked", "local:bob", "13:00", {"name": "ci"}),
    ]
    assert [entry["seq"] for entry in written] == [1, 2]
    assert {(entry["event_type"], entry["source"], entry["body_sha256"]) for entry in written} == {("", "", "")}
    assert SECRET not in str(written)
    assert CI.sha256 not in str(written)


def test_it_is_good_until_it_expires(kept: Ledger):
    assert CI.state(NOON + timedelta(days=90, microseconds=-1)) == "live"
    assert CI.state(NOON + timedelta(days=90)) == "expired"


def test_its_use_is_noted_to_the_minute(kept: Ledger):
    def noted(after: timedelta) -> datetime | None:
        with kept.write() as connection:
            tokens.used(connection, CI, at=NOON + after)
            found = tokens.find(connection, CI.sha256)
        return found.used_at if found else None

    assert noted(timedelta()) == NOON
    assert noted(timedelta(seconds=59)) == NOON
    assert noted(timedelta(seconds=60)) == NOON + timedelta(seconds=60)


def test_the_newest_is_listed_first(kept: Ledger):
    with kept.write() as connection:
        later = Token("cd", tokens.digest(new_token()), "operator", "ada", NOON + timedelta(hours=1))
        tokens.create(connection, later, ADA)
        assert [each.name for each in tokens.all_tokens(connection)] == ["cd", "ci"]


def test_a_token_has_256_random_bits_and_is_known_by_its_form():
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(TOKEN.fullmatch(each) for each in made)


def test_what_is_for_one_use_is_used_once(ledger: Ledger):
    until = NOON + timedelta(minutes=10)
    with ledger.write() as connection:
        assert spend(connection, "state", until=until, at=NOON)
        assert not spend(connection, "state", until=until, at=NOON)
        assert spend(connection, "other", until=until, at=NOON)
        assert is_spent(connection, "state")
        assert not is_spent(connection, "third")


def test_what_would_be_too_old_anyway_is_forgotten(ledger: Ledger):
    until = NOON + timedelta(minutes=10)
    with ledger.write() as connection:
        spend(connection, "state", until=until, at=NOON)
        spend(connection, "other", until=until + timedelta(hours=1), at=until + timedelta(seconds=1))
        assert not is_spent(connection, "state")
        assert is_spent(connection, "other")
