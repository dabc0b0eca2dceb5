"""What the other side asks for when it is busy: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after"""

import re
from datetime import datetime
from email.utils import parsedate_to_datetime


def seconds(said: str, *, at: datetime) -> float | None:
    """Of a Retry-After, in seconds or as a date; None where it can't be read. at: aware."""
    if re.fullmatch(r"[0-9]{1,9}", said.strip()):
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - at).total_seconds())
    except (ValueError, TypeError, IndexError):
        return None
