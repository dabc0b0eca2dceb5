"""Read the record and the policy in effect: one interface, `QueryService`, with two implementations.

local.py reads the ledger here, and the receiver answers /v1 with it; remote.py asks a receiver for it. Both give the
same rows: mappings of JSON values and aware datetimes, as the OpenAPI document describes them.
"""
