"""Notify people and systems of facts: cards, routing, channels, and posting within limits."""
