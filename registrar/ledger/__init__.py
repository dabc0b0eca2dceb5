"""The record: what was accepted, what must be done, who agreed, which version held what and when.

SQL, not Redis: approvals are an audit trail, and the queue must be rebuildable from the record. The functions
take a Connection, so that what belongs together is one commit; `engine.Ledger` opens them.
"""

from sqlalchemy import Connection

from registrar.ledger.engine import Ledger, LedgerUnavailable

__all__ = ["Connection", "Ledger", "LedgerUnavailable"]
