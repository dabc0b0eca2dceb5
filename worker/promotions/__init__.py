"""Promotions: evidence, gates, votes, the move itself, rollbacks, and changes made by hand in MLflow."""
