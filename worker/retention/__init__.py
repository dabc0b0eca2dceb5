"""Retention: which old versions may go, how much space they take, and a plan of that."""
