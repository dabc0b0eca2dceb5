"""Makes what a sender wrote fit to be shown: one line, no characters that forge log lines or turn text around."""


def clean(text: str, *, length: int = 100) -> str:
    """Printable characters only (no controls, no bidi marks, no halves of surrogate pairs), cut to `length`."""
    return "".join(char if char.isprintable() else "?" for char in text[:length])
