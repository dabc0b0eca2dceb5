"""Finds why a signature fails: `registrar doctor --source` tries the usual mistakes on a captured request."""
