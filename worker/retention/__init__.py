"""Retention: which old versions may be deleted, how much space they take, and a plan of that."""
