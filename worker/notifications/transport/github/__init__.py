"""GitHub's REST API, as far as we write to it: who we are there, and what its refusals mean."""
