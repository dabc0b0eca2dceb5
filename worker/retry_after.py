"""The Retry-After header: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after"""

import re
from datetime import datetime
from email.utils import parsedate_to_datetime


def seconds(value: str, *, at: datetime) -> float | None:
    """Return the seconds that a value (seconds or a date) asks for; None where it can't be read. at: now, aware."""
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - at).total_seconds())
    except (ValueError, TypeError, IndexError):
        return None
