"""Ready-made settings of the kind `generic`: one file per sender, with its documentation's address.

    VERIFY = {...}        as under options.verify (webhooks/signatures/configurable.py)
    DELIVERY_ID = "id"    JMESPath to the delivery's id, if the body has one and is signed; else None

and, for a CI system,

    WORKFLOW = "job"      the word for what options.workflows names, for people
    def ended(payload) -> Build
        the build that ended (webhooks/ci/build.py). Raises Ignored for everything else that this sender sends, for
        pull requests and for forks. A missing, a null and an empty field are the same.

or, if each body is an event already,

    RULES = [{...}]       as under options.rules (../mapping.py); the user's options.data are added to each

Add with it tests/fixtures/generic.<name>/ and a row in docs/how-to/sources/generic.md.
"""
