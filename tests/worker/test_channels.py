"""What keeps the worker from starting, and what its channels are given."""

import pytest

from registrar.policy.load import parse
from tests.worker.office import POLICY, Office
from worker import channels
from worker.notifiers import PassedOver, log


def policy(channel: str):
    return parse(POLICY.replace("log: {kind: log}", f"log: {channel}"))


def test_channels_that_can_be_used_are_fine():
    channels.check(parse(POLICY))


@pytest.mark.parametrize(
    ("channel", "message"),
    [
        ("{kind: lgo}", "channels.log.kind: unknown kind 'lgo'; known are "),
        ("{kind: log, options: {colour: s3cret}}", "channels.log.options: colour: unknown key$"),
    ],
)
def test_the_worker_does_not_start_with_a_channel_that_cannot_work(channel, message):
    with pytest.raises(channels.ChannelError, match=message) as error:
        channels.check(policy(channel))
    assert "s3cret" not in str(error.value)


def test_what_a_channel_has_no_way_to_say_is_passed_over_and_the_record_says_why(ledger, tmp_path, monkeypatch):
    def post(notice, http, seal):
        raise PassedOver("it is too quiet here")

    monkeypatch.setattr(log, "post", post)
    office = Office(ledger, tmp_path)
    office.post("experiment.create", name="new")
    [(state, outcome)] = office.notices()
    assert state == "succeeded"
    assert outcome["summary"] == "log was not told of experiment.created: it is too quiet here"
