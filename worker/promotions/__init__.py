"""Everything about a promotion: evidence and gates, votes, the move itself, rollbacks, and changes made by hand."""
