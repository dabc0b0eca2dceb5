"""The document says what the receiver does: schemathesis asks it everything that the document allows, and more."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from schemathesis import Case
from schemathesis.checks import CHECKS

from registrar.config.settings import Settings
from registrar.events.types import VOCABULARY, parse
from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate
from tests.webhooks.conftest import Receiver, environ, finished, signed
from webhooks.app import create_app
from webhooks.ingress import error_handlers
from webhooks.openapi.document import document
from webhooks.openapi.page import example, marked, page

LOCAL = {"base_url": "http://127.0.0.1:8080"}
ASKED = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
]
UNHURRIED = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("openapi")
    ledger = Ledger(f"sqlite:///{folder}/ledger.db")
    migrate(ledger)
    ledger.close()
    made = create_app(Settings.read(environ(folder)))

    def at_home(environ: dict[str, Any], start_response: Any) -> Any:
        """As this machine itself would ask."""
        environ["HTTP_HOST"], environ["REMOTE_ADDR"] = "127.0.0.1:8080", "127.0.0.1"
        return made(environ, start_response)

    client = made.test_client()
    for run_id in ("r1", "r2"):
        body = json.dumps(finished(run_id=run_id)).encode()
        assert client.post("/webhooks/ci", data=body, headers=signed(body)).status_code == 202
    return at_home


@pytest.fixture
def schema(app: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(error_handlers, "REFUSALS", "100000/second")
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


def operations() -> list[tuple[str, str]]:
    return [(path, verb) for path, each in document()["paths"].items() for verb in each if verb != "parameters"]


# Loops of our own: schemathesis 4.32's pytest plug-in and pytest 9 do not agree about sub-tests.
@pytest.mark.parametrize(("path", "verb"), operations())
def test_what_anybody_may_ask_is_answered_as_the_document_says(schema: Any, path: str, verb: str):
    # /readyz says 503 on purpose: no broker is there.
    checks = [CHECKS.get_one(name) for name in ASKED if path != "/readyz" or name != "not_a_server_error"]

    @UNHURRIED
    @given(case=schema[path][verb].as_strategy())
    def ask(case: Case) -> None:
        case.call_and_validate(checks=checks)

    ask()


def test_what_is_rightly_signed_is_answered_as_the_document_says(schema: Any):
    seen = set()

    @UNHURRIED
    @given(case=schema["/webhooks/{source}"]["post"].as_strategy())
    def deliver(case: Case) -> None:
        body = json.dumps(case.body).encode()
        case.path_parameters = {"source": "ci"}
        case.headers = {**(case.headers or {}), **signed(body)}
        response = case.call(data=body)
        case.validate_response(response, checks=[CHECKS.get_one(name) for name in ASKED])
        seen.add(response.status_code)

    deliver()
    assert 401 not in seen
    assert seen & {202, 403}


def test_every_route_has_an_operation_and_the_reverse(receiver: Receiver):
    routes = set()
    for rule in receiver.client.application.url_map.iter_rules():
        if rule.endpoint.startswith("pages."):  # for people; docs/how-to/dashboard.md
            continue
        path = re.sub(r"<(\w+)>", r"{\1}", rule.rule)
        routes |= {(path, method) for method in (rule.methods or set()) - {"HEAD"}}
    routes = {(path, method) for path, method in routes if method != "OPTIONS" or path.startswith("/webhooks/")}
    told = {(path, verb.upper()) for path, each in document()["paths"].items() for verb in each if verb != "parameters"}
    assert {(re.sub(r"\{\w+\}", "{}", path), verb) for path, verb in told} == {
        (re.sub(r"\{\w+\}", "{}", path), verb) for path, verb in routes
    }


def test_its_schemas_are_json_schema_and_its_references_lead_somewhere():
    made = document()
    for schema in made["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for ref in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(made)):
        found: Any = made
        for part in ref.split("/"):
            found = found[part]
        assert found


def validator(name: str) -> Draft202012Validator:
    made = document()
    registry = Registry().with_resource("urn:doc", Resource.opaque(made))
    return Draft202012Validator({"$ref": f"urn:doc#/components/schemas/{name}"}, registry=registry)


@pytest.mark.parametrize("type_", [type_ for type_ in VOCABULARY if type_ != "registry.query"])
def test_every_events_example_is_valid_for_the_code_and_for_the_document(type_: str):
    made = example(type_)
    parse(made["type"], made["data"])
    validator("OurEvent").validate(made)


def test_what_the_document_refuses_the_code_refuses_too():
    for wrong in (
        {"type": "nonsense", "data": {}},
        {"type": "training_run.finished"},
        {**example("promotion.approve"), "x": 1},
    ):
        assert not validator("OurEvent").is_valid(wrong)


def test_every_code_of_a_refusal_is_told(receiver: Receiver):
    text = json.dumps(document())
    html = page(document())
    for code in ("bad_signature", "stale_timestamp", "not_permitted", "delivery_reused", "too_many_requests"):
        assert f"`{code}`" in text
        assert code in html


def test_the_page_is_for_people_and_runs_nothing_but_our_scripts(receiver: Receiver):
    answer = receiver.client.get("/docs", base_url="https://registrar.example.com")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in answer.headers["Content-Security-Policy"]
    assert {"/static/docs.js"} < set(re.findall(r'<script src="([^"]+)" defer></script>', answer.text))
    assert not re.search(r"<script(?! src=\"/static/)|<style|\sstyle=|\son\w+=", answer.text)
    assert not re.findall(r'(?:src|href)="https?:', answer.text)
    assert "training_run.finished" in answer.text


def test_the_page_marks_code_as_code_and_nothing_as_html(receiver: Receiver):
    text = receiver.client.get("/docs").text
    assert ("`" in text, "of the kind <code>standard</code>" in text) == (False, True)
    assert marked("a `<b>` & `c`d `` e") == "a <code>&lt;b&gt;</code> &amp; <code>c</code>d `` e"


def test_neither_tells_of_this_installation(receiver: Receiver):
    for path in ("/docs", "/openapi.json"):
        text = receiver.client.get(path, **LOCAL).text
        assert "nyc-taxi-*" not in text
        assert str(Path(receiver.settings.config_path).parent) not in text


def test_the_document_is_of_openapi_3_1(receiver: Receiver):
    answer = receiver.client.get("/openapi.json")
    assert answer.mimetype == "application/json"
    assert answer.json["openapi"].startswith("3.1")
