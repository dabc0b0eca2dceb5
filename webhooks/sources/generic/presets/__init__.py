"""Ready-made settings of the kind `generic`: one file per sender, with its documentation's address.

    VERIFY = {...}        as under options.verify (webhooks/signatures/configurable.py)
    DELIVERY_ID = "id"    JMESPath to the delivery's id, where the body holds one and is signed; else None

and, for a CI system,

    WORKFLOW = "job"      what options.workflows names here, for people
    def ended(payload) -> Build
        the build that ended (webhooks/ci/build.py). Raises Ignored for whatever else this sender sends, for pull
        requests and for forks. A field that lacks, one that is null and one that is empty are the same.

or, where each body is an event already,

    RULES = [{...}]       as under options.rules (../mapping.py); the user's options.data is added to each

With it come tests/fixtures/generic.<name>/ and a row in docs/how-to/sources/generic.md.
"""
