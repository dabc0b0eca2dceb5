"""Write the generated parts of docs/: `make references`. A test holds the pages against them.

A part stands in its page between `<!-- generated: NAME -->` and `<!-- end of NAME -->`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Table

from registrar.doctor.mlflow_servers import KNOWN
from registrar.events.types import VOCABULARY
from registrar.ledger.tables import metadata
from registrar.policy import Policy
from tests.docs.pages import DOCS

Schema = Mapping[str, Any]
_KINDS = {"BIGINT": "int", "INTEGER": "int", "SMALLINT": "int", "DATETIME": "time", "BOOLEAN": "bool", "FLOAT": "float"}


def events() -> str:
    """Return a section per event type: what it asks for, the Celery task that starts, and its fields."""
    return "\n\n".join(_event(VOCABULARY[name]) for name in sorted(VOCABULARY))


def _event(kind: Any) -> str:
    schema = kind.model_json_schema()
    definitions = schema.get("$defs", {})
    rows = ["| field | type | required |  |", "|---|---|---|---|"]
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        rows.append(f"| `{name}` | {_type(field)} | {'yes' if name in required else ''} | {_meaning(field)} |")
        for inner, inner_field in _inner(field, definitions).items():
            rows.append(f"| `{name}.{inner}` | {_type(inner_field)} |  | {_meaning(inner_field)} |")
    intro = " ".join(str(schema.get("description", "")).split())
    table = "\n".join(rows)
    return f"### `{kind.type}`\n\n{intro} Task: `{kind.task}`.\n\n{table}"


def _inner(field: Schema, definitions: Schema) -> Schema:
    """Return the fields of an object within a field; {} where it is none."""
    names = [found["$ref"].rpartition("/")[2] for found in _choices(field) if "$ref" in found]
    return definitions[names[0]].get("properties", {}) if names else {}


def keys() -> str:
    """Return one row per key of registrar.yml, in the order of the schema."""
    schema = Policy.model_json_schema()
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for path, field, required in _walk(schema, schema["$defs"], ""):
        default = "**required**" if required else _default(field)
        rows.append(f"| `{path}` | {_type(field)} | {default} | {_meaning(field)} |")
    return "\n".join(dict.fromkeys(rows))


def _walk(schema: Schema, definitions: Schema, prefix: str) -> Iterator[tuple[str, Schema, bool]]:
    for name, field in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield path, field, name in schema.get("required", [])
        for inner, suffix in _objects(field, definitions):
            yield from _walk(inner, definitions, f"{path}{suffix}.")


def _objects(field: Schema, definitions: Schema, suffix: str = "") -> Iterator[tuple[Schema, str]]:
    """Yield the objects that a field holds, each with what a path adds for it: nothing, [] or .NAME."""
    for found in _choices(field):
        if "$ref" in found:
            yield definitions[found["$ref"].rpartition("/")[2]], suffix
        elif "items" in found:
            yield from _objects(found["items"], definitions, f"{suffix}[]")
        elif "patternProperties" in found or isinstance(found.get("additionalProperties"), dict):
            values = found.get("patternProperties") or {"": found["additionalProperties"]}
            yield from _objects(next(iter(values.values())), definitions, f"{suffix}.NAME")


def _choices(field: Schema) -> list[Schema]:
    """Return the alternatives of a field, null left out; itself where it has none."""
    found = field.get("anyOf") or field.get("oneOf") or [field]
    return [one for one in found if one.get("type") != "null"]


def _type(field: Schema) -> str:
    names = []
    for found in _choices(field):
        if "enum" in found:
            names.append(", ".join(f"`{value}`" for value in found["enum"]))
        elif "const" in found:
            names.append(f"`{found['const']}`")
        elif "items" in found:
            names.append(f"list of {_type(found['items'])}")
        elif "$ref" in found:
            names.append("object")
        else:
            names.append(str(found.get("type", "any")))
    return " or ".join(dict.fromkeys(names))


def _default(field: Schema) -> str:
    value = field.get("default")
    return "" if value is None or isinstance(value, dict) else f"`{json.dumps(value)}`"


def _meaning(field: Schema) -> str:
    return " ".join(str(field.get("description", "")).split()).replace("|", "\\|")


def tables() -> str:
    """Return the ledger's tables as a Mermaid ER diagram: https://mermaid.js.org/syntax/entityRelationshipDiagram.html"""
    found = sorted(metadata.tables.values(), key=lambda table: table.name)
    arrows = [arrow for table in found for arrow in _arrows(table)]
    boxes = [_box(table) for table in found]
    return "```mermaid\nerDiagram\n" + "\n".join([*arrows, *boxes]) + "\n```"


def _arrows(table: Table) -> Iterator[str]:
    for column in table.columns:
        for key in column.foreign_keys:
            parent, _, _ = key.target_fullname.partition(".")
            yield f'    {parent} ||--o{{ {table.name} : "{column.name}"'


def _box(table: Table) -> str:
    lines = [f"        {_kind(column)} {column.name}{_mark(column)}" for column in table.columns]
    return f"    {table.name} {{\n" + "\n".join(lines) + "\n    }"


def _kind(column: Column[Any]) -> str:
    name = str(column.type).partition("(")[0]
    return _KINDS.get(name, "json" if name == "JSON" else "text")


def _mark(column: Column[Any]) -> str:
    marks = [mark for mark, is_one in (("PK", column.primary_key), ("FK", column.foreign_keys)) if is_one]
    return f" {', '.join(marks)}" if marks else ""


def decisions() -> str:
    """Return a list of the decision records, by number."""
    found = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    return "\n".join(f"- [{page.read_text(encoding='utf-8').splitlines()[0][2:]}]({page.name})" for page in found)


def mlflow_servers() -> str:
    """Return one row per MLflow server that the doctor knows."""
    rows = ["| MLflow | main job | webhooks | logged models | workspaces | a deleted version's alias |"]
    rows.append("|---|---|---|---|---|---|")
    for server in KNOWN:
        cells = (
            "yes",
            "yes" if server.webhooks else "no: `poll_every`",
            "yes" if server.logged_models else "no: a run's model is among its artifacts",
            "the default one" if server.workspaces else "none",
            "goes with it" if server.drops_aliases else "stays until it is moved",
        )
        rows.append(f"| {server.version} | {' | '.join(cells)} |")
    return "\n".join(rows)


PARTS: Mapping[str, tuple[Path, Callable[[], str]]] = {
    "events": (DOCS / "reference" / "events.md", events),
    "keys": (DOCS / "reference" / "registrar-yml.md", keys),
    "decisions": (DOCS / "decisions" / "index.md", decisions),
    "mlflow servers": (DOCS / "how-to" / "deploy.md", mlflow_servers),
    "tables": (DOCS / "explanation" / "architecture.md", tables),
}


def with_part(name: str, text: str, part: str) -> str:
    """Return a page's text with the part of this name replaced. Raises ValueError where it has no place for it."""
    start, end = f"<!-- generated: {name} -->", f"<!-- end of {name} -->"
    if not re.search(f"{start}.*{end}", text, re.DOTALL):
        raise ValueError(f"the page has no lines {start} and {end}")
    before, _, rest = text.partition(start)
    return f"{before}{start}\n\n{part}\n\n{end}{rest.partition(end)[2]}"


def main() -> None:
    for name, (page, make) in PARTS.items():
        page.write_text(with_part(name, page.read_text(encoding="utf-8"), make()), encoding="utf-8")


if __name__ == "__main__":
    main()
