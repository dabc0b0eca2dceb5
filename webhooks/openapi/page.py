"""Renders the document as a page: text and style only, no script, nothing loaded from elsewhere."""

import json
import re
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from registrar.events.types import VOCABULARY
from webhooks.openapi.schemas import refusals

_TEMPLATE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ info.title }} {{ info.version }}: HTTP</title>
<style>
  :root { color-scheme: light dark; --line: light-dark(#d8dde3, #39414a); --soft: light-dark(#f4f6f8, #1d2228); }
  html { -webkit-text-size-adjust: 100%; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 2rem 1rem;
    overflow-wrap: anywhere; }
  h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 3rem; }
  code, pre { font: 14px/1.5 ui-monospace, monospace; }
  pre { background: var(--soft); padding: 1rem; white-space: pre-wrap; }
  table { border-collapse: collapse; width: 100%; } td { text-align: left; vertical-align: top; padding: .3rem .8rem
  .3rem 0; border-bottom: 1px solid var(--line); } td:first-child { min-width: 4rem; } .verb { font-weight: 700; }
  section { margin: 2rem 0; }
  @media (max-width: 40rem) {
    tr { display: block; border-bottom: 1px solid var(--line); padding: .3rem 0; }
    td { display: block; border: 0; padding: 0; } td:empty { display: none; }
  }
</style>
<h1>{{ info.title }} {{ info.version }}</h1>
<p>{{ info.description | marked }} The same for machines: <a href="/openapi.json">/openapi.json</a>.</p>
<h2 id="operations">Operations</h2>
{% for path, operations in paths.items() %}{% for verb, operation in operations.items() if verb != "parameters" %}
<section>
<h3><span class="verb">{{ verb | upper }}</span> <code>{{ path }}</code></h3>
<p>{{ operation.summary | marked }}. {{ operation.description | marked }}</p>
{% if operation.parameters %}<table>
{% for parameter in operation.parameters %}
<tr><td><code>{{ parameter.name }}</code><td>{{ parameter.description | marked }}{% endfor %}
</table>{% endif %}
<table>
{% for status, answer in operation.responses.items() %}
<tr><td>{{ status }}<td>{{ answer.description | marked }}{% endfor %}
</table>
</section>
{% endfor %}{% endfor %}
<h2 id="events">Events</h2>
<p>The bodies of <code>POST /webhooks/&lt;source&gt;</code> from a source of the kind <code>standard</code>.</p>
{% for type, event in events.items() %}
<section>
<h3><code>{{ type }}</code></h3>
<p>{{ event.doc | marked }}</p>
<table>
{% for name, field in event.fields.items() %}<tr><td><code>{{ name }}</code><td>
{{- "" if field.required else "optional" }}<td>{{ field.description | marked }}{% endfor %}
</table>
<pre>{{ event.example }}</pre>
</section>
{% endfor %}
<h2 id="codes">Refusals</h2>
<p>Every refusal is <code>application/problem+json</code>; its <code>detail</code> says what would be right.</p>
<table>
{% for refusal in refusals %}
<tr><td>{{ refusal.status }}<td><code>{{ refusal.code }}</code><td>{{ refusal.doc | marked }}{% endfor %}
</table>
</html>
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


def page(document: dict[str, Any]) -> str:
    environment = Environment(autoescape=True, trim_blocks=True)
    environment.filters["marked"] = marked
    template = environment.from_string(_TEMPLATE)
    rows = [{"status": kind.status, "code": kind.code, "doc": kind.__doc__} for kind in refusals()]
    return template.render(info=document["info"], paths=document["paths"], events=_events(), refusals=rows)


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
