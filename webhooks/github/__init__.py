"""What GitHub's events say: one module per subject; webhooks/sources/github.py is the door."""
