"""Whose vote is missing is the same by the short way, which every page takes, as by that of a promotion's page."""

from itertools import product

import pytest

from registrar.ledger.promotions import PromotionRequested, still_open
from registrar.ledger.votes import VoteCast
from registrar.policy.load import parse
from registrar.queries.promotion_view import promotion_views
from registrar.queries.waiting_for import waiting_for
from tests.ledger.chain import EVIDENCE, NOON
from tests.queries.conftest import POLICY, Town

PEOPLE = ("ada", "bob", "cyd", "eve", "source:ci", "nobody")
RULES = (
    "[{group: leads}, {group: risk}]",
    "[{group: risk, required_approvals: 2}]",
    "[{group: leads, required_approvals: 2}, {group: risk}]",
)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("agreed", [(), ("ada",), ("cyd",), ("ada", "cyd"), ("eve",), ("ada", "eve")])
@pytest.mark.parametrize("requester", ["ada", "source:ci"])
def test_both_ways_name_the_same_people(town: Town, rules: str, agreed: tuple[str, ...], requester: str):
    policy = parse(POLICY.replace(RULES[0], rules))
    evidence = {**EVIDENCE, "policy_digest": policy.digest("taxi"), "trained_by": "eve@example.com"}
    opened = PromotionRequested("taxi", 2, "Production", evidence, requested_by=requester)
    event_id = town.event("training_run.finished", opened, run_id="r2")
    for who in agreed:
        town.write(event_id, VoteCast(opened.id, "approve", True, ""), by=who)
    with town.ledger.read() as connection:
        from_ledger = promotion_views(policy, connection, still_open(connection), at=NOON)
        found = {who: waiting_for(connection, policy, who, "approver", at=NOON).promotions for who in PEOPLE}
    [view] = from_ledger
    assert {who: bool(ids) for who, ids in found.items()} == {who: view.waits_for(who) for who in PEOPLE}


@pytest.mark.parametrize(("role", "shown"), [("viewer", (0, 0)), ("approver", (1, 0)), ("operator", (1, 1))])
def test_a_role_that_may_not_act_is_shown_nothing(town: Town, role: str, shown: tuple[int, int]):
    policy = parse(POLICY)
    opened = PromotionRequested("taxi", 2, "Production", {**EVIDENCE, "policy_digest": policy.digest("taxi")})
    town.event("training_run.finished", opened, run_id="r2")
    town.event(state="dead")
    with town.ledger.read() as connection:
        found = waiting_for(connection, policy, "ada", role, at=NOON)  # type: ignore[arg-type]
    assert (len(found.promotions), found.dead_letters) == shown
    assert found.count == sum(shown)


def test_what_was_asked_under_another_policy_waits_for_nobody(town: Town):
    policy = parse(POLICY)
    opened = PromotionRequested("taxi", 2, "Production", {**EVIDENCE, "policy_digest": "another"})
    town.event("training_run.finished", opened, run_id="r2")
    with town.ledger.read() as connection:
        for who, role in product(PEOPLE, ("approver", "operator")):
            assert waiting_for(connection, policy, who, role, at=NOON).promotions == ()
