"""Move old events and rejections from the ledger into compressed files, where they can still be looked up.

A file is on the disk, whole, before anything that is in it is deleted, and only what reads the same in both is deleted.
So a run that dies leaves either nothing, or a file that the next run goes on with. docs/operations.md has the format.
"""
