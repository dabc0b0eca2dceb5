"""Numbers with what they count."""


def plural(count: int, one: str, many: str | None = None) -> str:
    """1 event, 2 events, 1,200 events; ("task is", "tasks are"): 1 task is, 2 tasks are"""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
