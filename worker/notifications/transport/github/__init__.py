"""GitHub's REST API, as far as we write to it."""
