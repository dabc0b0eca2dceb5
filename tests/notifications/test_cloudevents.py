"""webhook with format: cloudevents. What CNCF's own library reads, and Standard Webhooks' own library verifies."""

import json

import pytest
import requests
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cloudevents.core.formats.json import JSONFormat
from standardwebhooks import Webhook

from registrar.events.outcome import Fact
from registrar.policy import plugin_options
from tests.notifications.samples import DESCRIBED, ENCRYPTOR, MOVED, NOON, REQUESTED, expected, notice
from worker.notifications.notifiers import webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CASES = [("requested", REQUESTED), ("moved", MOVED)]


def posted_event(fact, listener, **given):
    given = {"format": "cloudevents", **given}
    webhook.post(notice(fact, url=listener.url, secret=SECRET, **given), requests.Session(), ENCRYPTOR)
    return listener.got[-1]


@pytest.mark.parametrize(("case", "fact"), CASES)
def test_the_exact_event(case, fact, listener):
    headers, body = posted_event(fact, listener)
    assert json.loads(body) == expected(f"webhook__cloudevents_{case}")
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"


@pytest.mark.parametrize("fact", [REQUESTED, MOVED, DESCRIBED, Fact("experiment.created", "x was created")])
def test_cncfs_library_reads_it(fact, listener):
    headers, body = posted_event(fact, listener, type_prefix="com.example.mlops")
    event = from_http_event(HTTPMessage(headers, body), JSONFormat())
    assert event.get_specversion() == "1.0"
    assert event.get_id() == "tsk_1"
    assert event.get_source() == "https://registrar.example.com"
    assert event.get_type() == f"com.example.mlops.{fact.type}.v1"
    assert event.get_subject() == ("models/taxi/versions/2" if fact.model else None)
    assert event.get_time() == NOON
    assert event.get_extension("causationid") == "evt_1"
    assert event.get_extension("actor") == "ada"
    assert event.get_extension("correlationid") == fact.details.get("promotion")
    assert event.get_data()["text"] == fact.text


def test_it_is_signed_as_the_other_format_is(listener):
    headers, body = posted_event(MOVED, listener)
    assert Webhook(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
    assert headers["webhook-id"] == json.loads(body)["id"]


def test_those_who_said_nothing_get_what_they_had(listener):
    headers, body = posted_event(MOVED, listener, format="standard")
    assert headers["Content-Type"] == "application/json"
    assert set(json.loads(body)) == {"type", "timestamp", "data"}
    assert webhook.body(notice(MOVED)) == body


@pytest.mark.parametrize("given", [{"format": "xml"}, {"type_prefix": ""}, {"type_prefix": "io..registrar"}])
def test_options_that_cannot_work_are_refused(given):
    with pytest.raises(plugin_options.BadOptions):
        plugin_options.read(webhook, given)
