"""Ids of rows, which begin with the time: new ones are neighbours in an index, so that few of its pages change."""

import os
import time


def new_id(prefix: str) -> str:
    """Return a new id: the prefix, 12 digits of milliseconds, and 80 random bits; 32 hexadecimal digits in all."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
