"""What is wrong with a field of an event, in a sentence that begins behind the field's name."""

import re
from typing import Any

from registrar.events.types import VOCABULARY
from registrar.text.wording import nearest

_SAID = {
    "missing": "is missing",
    "extra_forbidden": "is not a field of it",
    "string_too_short": "is empty",
    "too_short": "is empty",
    "string_pattern_mismatch": "has characters or a form that are not allowed",
    "int_parsing": "is no whole number",
    "int_type": "is no whole number",
}
_SENTENCES = ("is ", "has ")  # so begins what the vocabulary says itself of a field


def wording(detail: Any, type_: str) -> str:
    """detail: one of pydantic's errors, of an event of this type; what was given is looked at if it is in there."""
    match detail["type"]:
        case "extra_forbidden" if len(detail["loc"]) == 1:
            return f"is not a field of {type_}; its fields are {', '.join(VOCABULARY[type_].model_fields)}"
        case "string_too_long":
            return f"is longer than {detail['ctx']['max_length']:,} characters"
        case "literal_error":
            words = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
            near = nearest(str(detail.get("input", "")), words)
            return f"is none of {', '.join(words)}" + (f"; did you mean {near}?" if near else "")
    said = str(detail["msg"]).removeprefix("Value error, ")
    return _SAID.get(detail["type"]) or (said if said.startswith(_SENTENCES) else f"is wrong: {said}")
