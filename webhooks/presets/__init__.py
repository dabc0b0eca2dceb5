"""Ready-made settings of the kind `generic`: one file per sender, with its documentation's address.

    VERIFY = {...}        as under options.verify (webhooks/configured.py)
    RULES = [{...}]       as under options.rules (webhooks/mapping.py); the user's options.data is added to each
    DELIVERY_ID = "id"    JMESPath to the delivery's id, where the body holds one and is signed; else None

With it come tests/fixtures/generic.<name>/ and a line in docs/sources.md.
"""
