"""worker.reply, after the first task of an event that came with an address: the person who asked is answered."""

from registrar.outcome import Outcome
from registrar.plugins import load
from registrar.seal import BrokenSeal
from worker.door import Final
from worker.work import Work


def act(work: Work) -> Outcome:
    try:
        address = work.seal.open(work.task.reply_to or "")
    except BrokenSeal as error:
        raise Final(f"the address for the answer can't be read: {error}") from None
    load("worker.notifiers", address["kind"]).reply(address["url"], str(work.given("text")), work.http)
    return Outcome(f"{work.who} was answered")
