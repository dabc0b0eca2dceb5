"""Parses form bodies strictly: UTF-8, a bounded number of fields, each at most once."""

from collections.abc import Collection
from urllib.parse import parse_qsl

from webhooks.ingress.errors import NotAForm

MAX_FIELDS = 100


def parse(raw: bytes, *, lists: Collection[str] = ()) -> dict[str, str]:
    """Parse an application/x-www-form-urlencoded body; empty fields stay, NUL becomes \ufffd. Raises NotAForm.

    lists: fields that may be repeated; the result is without them.
    """
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(raw),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except UnicodeDecodeError:
        raise NotAForm("the form is not percent-encoded UTF-8") from None
    except ValueError:
        raise NotAForm(f"the form has a field without =, or more than {MAX_FIELDS} fields") from None
    pairs = [pair for pair in pairs if pair[0] not in lists]
    fields = {name.replace("\0", "\ufffd"): value.replace("\0", "\ufffd") for name, value in pairs}
    if len(fields) != len(pairs):
        raise NotAForm("the form has a field twice; send each field once")
    return fields
