"""Renders the document for people: the content of the page /docs, which webhooks/dashboard/api_reference.py serves."""

import json
import re
from collections.abc import Iterator
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from registrar.events.types import VOCABULARY
from webhooks.openapi.schemas import refusals

_TEMPLATE = """<h1>{{ info.title }} {{ info.version }}: HTTP API</h1>
<p class="lead">{{ info.description | marked }} The same for machines: <a href="/openapi.json">/openapi.json</a>.</p>
<div class="reference">
<div class="contents" role="navigation" aria-label="Contents">
<p class="field" id="reference-find" hidden><label for="reference-filter">Filter</label>
<input id="reference-filter" type="search" autocomplete="off" spellcheck="false" placeholder="votes, version, 409">
<span class="soft" id="reference-count" role="status"></span></p>
<details><summary>Operations</summary><ul>
{% for id, verb, path, _ in operations %}
<li><a href="#{{ id }}"><span class="verb">{{ verb }}</span> {{ path }}</a></li>
{% endfor %}</ul></details>
<details><summary>Events</summary><ul>
{% for type in events %}<li><a href="#{{ type }}">{{ type }}</a></li>
{% endfor %}</ul></details>
<p><a href="#codes">Refusals</a></p>
</div>
<div class="entries">
<h2 id="operations">Operations</h2>
{% for id, verb, path, operation in operations %}
<section id="{{ id }}">
<h3><a href="#{{ id }}"><span class="verb">{{ verb }}</span> <code>{{ path }}</code></a></h3>
<p>{{ operation.summary | marked }}. {{ operation.description | marked }}</p>
{% if operation.parameters %}<table class="stack"><caption>Parameters</caption><tbody>
{% for parameter in operation.parameters %}
<tr><td><code>{{ parameter.name }}</code></td><td>{{ parameter.description | marked }}</td></tr>
{% endfor %}</tbody></table>{% endif %}
<table class="stack"><caption>Answers</caption><tbody>
{% for status, answer in operation.responses.items() %}
<tr><td>{{ status }}</td><td>{{ answer.description | marked }}</td></tr>
{% endfor %}</tbody></table>
</section>
{% endfor %}
<h2 id="events">Events</h2>
<p>The bodies of <code>POST /webhooks/&lt;source&gt;</code> from a source of the kind <code>standard</code>.</p>
{% for type, event in events.items() %}
<section id="{{ type }}">
<h3><a href="#{{ type }}"><code>{{ type }}</code></a></h3>
<p>{{ event.doc | marked }}</p>
<table class="stack"><caption>Fields of its data</caption><tbody>
{% for name, field in event.fields.items() %}<tr><td><code>{{ name }}</code></td><td>
{{- "" if field.required else "optional" }}</td><td>{{ field.description | marked }}</td></tr>
{% endfor %}</tbody></table>
<pre tabindex="0" aria-label="An example of {{ type }}">{{ event.example }}</pre>
</section>
{% endfor %}
<h2 id="codes">Refusals</h2>
<p>Every refusal is <code>application/problem+json</code>; its <code>detail</code> says what would be right.</p>
<table class="stack"><caption class="hidden">Status, code and meaning of each refusal</caption><tbody>
{% for refusal in refusals %}
<tr><td>{{ refusal.status }}</td><td><code>{{ refusal.code }}</code></td><td>{{ refusal.doc | marked }}</td></tr>
{% endfor %}</tbody></table>
</div>
</div>
"""
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_EXAMPLES: dict[str, Any] = {
    "model": "nyc-taxi-regressor",
    "task_id": "tsk_0f9c1d7e5b3a4c2d8e6f7a8b9c0d1e2f",
    "event_id": "evt_7a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "run_id": "4c8ef2a1b5d04b7e8a1d2f3c4b5a6978",
    "version": 3,
    "stage": "Staging",
    "target": "Production",
    "environment": "production",
    "name": "nyc-taxi",
    "change": "model_version_alias.created",
    "alias": "champion",
    "reason": "wrong fares",
    "older_than": "90d",
    "question": "models",
    "trust": "mlflow",
    "description": "trained on the rides of 2025",
}
# Where one of several fields is required: the one that an example shows.
_ONE_OF = {"training_run.finished": ("run_id",), "model_version.register": ("run_id",), "registry.changed": ("alias",)}
_ONE_OF |= {"task.retry": ("model",), "task.drop": ("model",), "event.replay": ("model",)}
_ONE_OF |= {"artifacts.fetch": ("run_id",), "model_version.describe": ("description",), "registry.settle": ("trust",)}
_ONE_OF |= {"model.adopt": ("model",)}


def page(document: dict[str, Any]) -> Markup:
    environment = Environment(autoescape=True, trim_blocks=True)
    environment.filters["marked"] = marked
    template = environment.from_string(_TEMPLATE)
    rows = [{"status": kind.status, "code": kind.code, "doc": kind.__doc__} for kind in refusals()]
    shown = {"info": document["info"], "operations": list(_operations(document)), "events": _events()}
    return Markup(template.render(**shown, refusals=rows))  # noqa: S704 (the template escapes)


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Yield each operation with the id of its section, its verb and its path."""
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            if verb != "parameters":
                yield re.sub("[^a-z0-9]+", "-", f"{verb}{path}".lower()).strip("-"), verb.upper(), path, operation


def marked(text: str | None) -> Markup:
    """Mark text between backticks as code, and escape everything. In /openapi.json the texts are Markdown."""
    parts = _CODE.split(text or "")  # every second part was between backticks
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if nth % 2 else escape(part) for nth, part in enumerate(parts)
    )


def _events() -> dict[str, Any]:
    return {type_: _event(type_) for type_ in sorted(VOCABULARY)}


def _event(type_: str) -> dict[str, Any]:
    kind = VOCABULARY[type_]
    fields = {
        name: {"required": field.is_required(), "description": field.description}
        for name, field in kind.model_fields.items()
    }
    return {"doc": kind.__doc__, "fields": fields, "example": json.dumps(example(type_), indent=2)}


def example(type_: str) -> dict[str, Any]:
    """Return a minimal valid event of a type."""
    kind = VOCABULARY[type_]
    names = [name for name, field in kind.model_fields.items() if field.is_required() or name in _ONE_OF.get(type_, ())]
    data = {name: _EXAMPLES[name] for name in names}
    return {"type": type_, "timestamp": "2026-11-22T12:00:00Z", "data": data}
