"""Tell people and systems about facts: cards, routing, channels, and posting within limits."""
