"""Links that sign a person in, once: on both databases."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from registrar.config.key_generation import LINK_CODE, new_link_code
from registrar.events.event import Actor
from registrar.ledger import Ledger, sign_in_links
from registrar.ledger.journal.chain import Damaged
from registrar.ledger.journal.stream import entries
from registrar.ledger.journal.verify import verify
from registrar.ledger.sign_in_links import SESSION_LASTS, LinkState, SignInLink
from registrar.ledger.tokens import NoSuchToken, digest, fingerprint

pytestmark = pytest.mark.both_ledgers

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OPS, ADA = Actor("local:ops", "ops on host"), Actor("ada", "Ada")
CODE = new_link_code()


@pytest.fixture
def link(ledger: Ledger) -> SignInLink:
    made = sign_in_links.new_link(CODE, "ada", at=NOON, lasts=15 * MINUTE)
    with ledger.write() as connection:
        sign_in_links.create(connection, made, OPS)
    return made


def used(ledger: Ledger, link: SignInLink, at: datetime = NOON + MINUTE) -> bool:
    with ledger.write() as connection:
        return sign_in_links.use(connection, link, ADA, at=at, used_from="203.0.113.9")


def stored(ledger: Ledger, link: SignInLink) -> SignInLink:
    with ledger.read() as connection:
        found = sign_in_links.get(connection, link.name)
    assert found
    return found


def test_it_is_found_by_the_digest_of_its_code_alone(ledger: Ledger, link: SignInLink):
    assert LINK_CODE.fullmatch(CODE)
    with ledger.read() as connection:
        assert sign_in_links.find(connection, digest(CODE)) == link
        assert sign_in_links.find(connection, CODE) is None
        assert sign_in_links.find(connection, digest(new_link_code())) is None


def test_it_is_used_once(ledger: Ledger, link: SignInLink):
    assert [used(ledger, link), used(ledger, link)] == [True, False]
    assert stored(ledger, link).state(NOON + MINUTE) == LinkState.SIGNED_IN


def test_of_many_at_once_one_wins(ledger: Ledger, link: SignInLink):
    with ThreadPoolExecutor(8) as people:
        assert sorted(people.map(lambda _: used(ledger, link), range(8))) == [False] * 7 + [True]
    with ledger.read() as connection:
        assert verify(connection).walk.count == 2


@pytest.mark.parametrize(
    ("at", "works"),
    [
        (NOON, True),
        (NOON + 15 * MINUTE - timedelta(microseconds=1), True),
        (NOON + 15 * MINUTE, False),
        (NOON - MINUTE, True),
        (NOON - MINUTE - timedelta(microseconds=1), False),
    ],
    ids=["at once", "at the last moment", "too late", "a clock that is behind a little", "a clock that is behind"],
)
def test_it_works_in_its_time_alone(ledger: Ledger, link: SignInLink, at: datetime, works: bool):
    """A link from a clock that is ahead would last for longer."""
    assert (link.state(at) == LinkState.LIVE) == works
    assert used(ledger, link, at) == works


def test_revoked_it_is_worth_nothing_and_ended_neither_is_its_session(ledger: Ledger, link: SignInLink):
    for expected in (LinkState.REVOKED, LinkState.ENDED):
        made = sign_in_links.new_link(new_link_code(), "ada", at=NOON, lasts=15 * MINUTE)
        with ledger.write() as connection:
            sign_in_links.create(connection, made, OPS)
            if expected == LinkState.ENDED:
                assert sign_in_links.use(connection, made, ADA, at=NOON, used_from=None)
            ended = sign_in_links.end(connection, made.name, OPS, at=NOON + MINUTE)
            again = sign_in_links.end(connection, made.name, ADA, at=NOON + 2 * MINUTE)
            assert not sign_in_links.use(connection, made, ADA, at=NOON + 3 * MINUTE, used_from=None)
        assert (ended.state(NOON + MINUTE), again.ended_at) == (expected, NOON + MINUTE)
    with ledger.write() as connection, pytest.raises(NoSuchToken, match="there is no link link:0"):
        sign_in_links.end(connection, "link:0", OPS, at=NOON)


def test_its_session_is_over_after_its_time(ledger: Ledger, link: SignInLink):
    used(ledger, link, NOON)
    states = [stored(ledger, link).state(NOON + SESSION_LASTS - one) for one in (timedelta(seconds=1), timedelta())]
    assert states == [LinkState.SIGNED_IN, LinkState.OVER]


def test_the_journal_says_who_made_used_and_ended_it_and_from_where_and_never_the_code(
    ledger: Ledger, link: SignInLink
):
    used(ledger, link)
    with ledger.write() as connection:
        sign_in_links.end(connection, link.name, OPS, at=NOON + 2 * MINUTE)
    with ledger.read() as connection:
        assert verify(connection).walk.count == 3
        written = list(entries(connection))
    said = [(entry["kind"], entry["actor"], json.loads(entry["body"])["said"]) for entry in written]
    made = {"name": link.name, "person": "ada", "expires_at": "2026-11-22T12:15:00.000000+00:00"}
    assert said == [
        ("link.created", "local:ops", {**made, "fingerprint": fingerprint(link.sha256)}),
        ("link.used", "ada", {"name": link.name, "used_from": "203.0.113.9"}),
        ("link.ended", "local:ops", {"name": link.name}),
    ]
    assert CODE not in str(written)
    assert link.sha256 not in str(written)


@pytest.mark.edits_the_record
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE sign_in_links SET person = 'eve'", "says person ada; the table says person eve"),
        ("UPDATE sign_in_links SET used_at = NULL, used_from = NULL", "the table says used_at null"),
        ("UPDATE sign_in_links SET sha256 = 'x'", "fingerprint"),
        ("DELETE FROM sign_in_links", "the table does not have it"),
    ],
)
def test_a_link_that_was_changed_behind_the_journals_back_is_found(
    ledger: Ledger, link: SignInLink, statement: str, said: str
):
    used(ledger, link)
    with ledger.engine.begin() as connection:
        connection.execute(text(statement))
    with ledger.read() as connection, pytest.raises(Damaged, match=said):
        verify(connection)


def test_the_newest_is_listed_first(ledger: Ledger, link: SignInLink):
    later = sign_in_links.new_link(new_link_code(), "bob", at=NOON + MINUTE, lasts=MINUTE)
    with ledger.write() as connection:
        sign_in_links.create(connection, later, OPS)
        assert [each.person for each in sign_in_links.all_links(connection)] == ["bob", "ada"]


def test_no_repr_shows_its_digest(link: SignInLink):
    assert link.sha256 not in repr(link)
