"""worker.replay, on event.replay: send an accepted event again, as a new one of the actor who asks for that.

The first sender has no part in it: the policy judges the new event by its own actor, and the address for the first
one's reply is not used. With `plan`, it only says what would happen.
"""

from registrar.events.event import Actor, Event
from registrar.events.facts import FactType
from registrar.events.outcome import Fact, Outcome
from registrar.events.resend_rules import ResendRefused, data_to_resend
from registrar.events.types import EventReplay
from registrar.ledger import act_subjects
from registrar.ledger.queries import event_status
from registrar.ledger.queries.interventions import EventResent
from worker.interventions import plan_resend
from worker.registry.protocol import Refused
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    asked = context.data_as(EventReplay)
    with context.ledger.read() as connection:
        first = event_status.event(connection, asked.event_id)
        told = act_subjects.resend_pins(connection, first["id"], first["type"]) if first else {}
    if first is None or first["model"] != asked.model:
        about = f"about {asked.model}" if asked.model else "about no model"
        raise Refused(f"there is no event {asked.event_id} {about}; `registrar events` shows each with its model")
    try:
        data = data_to_resend(context.policy, context.task.source, first["type"], first["data"])
    except ResendRefused as error:
        raise Refused(f"{asked.event_id} can't be replayed by {context.actor_name}: {error}") from None
    if asked.plan:
        found = plan_resend(context, data)
        return Outcome("\n".join([f"{data.type} by {context.actor_name} now: {found.state}", *found.lines]))
    new = Event(data, Actor(context.task.actor, context.actor_name), context.task.accepted_at)
    done = EventResent(
        asked.event_id, new, context.task.source, asked.reason, context.task.args.get(act_subjects.KEY, {}) | told
    )
    because = f": {asked.reason}" if asked.reason else ""
    text = f"{new.type} {first['id']} was sent again as {done.id}, by {context.actor_name}{because}"
    details = {"event": first["id"], "became": done.id, "type": new.type, "reason": asked.reason}
    fact = Fact(FactType.EVENT_REPLAYED, text, asked.model, first["data"].get("version"), details)
    return Outcome(text, facts=(fact,), records=(done,))
