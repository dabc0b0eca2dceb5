"""Move what is old from the ledger into compressed files, where it can still be looked up.

A file is complete, and was read back, before anything that is in it is deleted, and only what reads the same in both is
deleted. So a run that dies leaves either nothing, or a file that the next run goes on with. docs/how-to/operations.md
has the format.
"""
