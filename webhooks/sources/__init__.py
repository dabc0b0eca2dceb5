"""Kinds of sources: one file or folder per kind, found by its name, which registrar.yml gives as `kind`.

A kind defines these, without I/O and without a clock but request.received_at (types: ingress/source_types.py):

    CONTENT_TYPES = {"application/json"}
        the media types that this kind sends; any other is a 415. None: any; `normalise` refuses those it can't read.
    def check_secret(secret: str) -> None
        raises WeakSecret for one that is too short or malformed: the receiver refuses to start.
    def verify(request: Request, context: Context) -> Verified
        the sender's delivery id if it is signed, and which secret signed. Raises BadSignature, StaleTimestamp, and
        nothing else. Usually one call of verifier.verified with a Scheme.
    def normalise(request: Request, context: Context) -> Parsed
        called for verified requests only. A payload has one of three explicit fates: it becomes events; it is not
        for us, and is ignored by name (Parsed without events); it is for us, but wrong (InvalidEvent).
        Raises NotJson, NotAForm, InvalidEvent, UnsupportedMediaType.
    MAX_BYTES = 65_536                                                           (optional)
        the largest body that this kind sends, in bytes, if `verify` must parse it: it is then parsed before the
        sender is known. registrar.yml's max_bytes applies if it is lower.
    class Options(BaseModel)                                                     (optional)
        the settings under `options` in registrar.yml for this kind; extra="forbid". `context.options` has them.
    def check(context: Context) -> None                                          (optional)
        raises WeakSecret if secrets, options and the rest of registrar.yml contradict each other: the receiver refuses
        to start.
    def handshake(headers: Mapping[str, str], context: Context) -> Answer        (optional)
        the answer to OPTIONS, which is a 405 for kinds without it.
    SCHEME: Scheme, or def scheme(context: Context) -> Scheme | None             (optional)
        how its requests are signed, for `registrar send` and `registrar doctor`.
    def compose(content: Mapping, context: Context) -> Outgoing                  (optional)
        one of our events in this kind's form, unsigned, for `registrar send TYPE --source NAME`.
    def sign(outgoing: Outgoing, *, secret, context, now) -> Outgoing            (optional)
        adds a proof that no Scheme makes (a token), or updates a time in the body before it is signed.
    def refuse(request: Request, rejected: Rejected) -> Mapping | None          (optional)
        the JSON of a 200 that replaces the 4xx or 5xx; None: no replacement. rejected.for_people() is the sentence to
        show. Not called for a bad signature.
    def async_reply(request: Request, rejected: Rejected, context: Context) -> ChatReply | None      (optional)
        the same for systems that don't show the response: a message to post to a checked address of the request.

A delivery id that is not signed (GitHub's, Bitbucket's) is no identity: a captured request could be sent again with
another id. Leave it out: then the body's digest is the identity.

A kind checks no permissions: ingress/endpoint.py checks every event against `may` in registrar.yml.

Add with it tests/fixtures/<kind>/_sender.json (the secrets and the time that the fixtures are signed with; "signs":
what the signature covers, ["body", "timestamp"] by default), captured requests <what>__<case>.http with
the expected <what>__<case>.json beside each, and tests/sources/test_<kind>.py.
"""
