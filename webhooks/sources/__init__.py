"""Kinds of senders: one file per kind, and no list to edit; registrar.yml names the file as `kind`.

A file offers, without any I/O and with no other clock than request.received_at (types: ingress/source_types.py):

    CONTENT_TYPES = {"application/json"}
        the media types that this kind sends; any other is a 415. None: any, and normalise says which it can read.
    def check_secret(secret: str) -> None
        raises WeakSecret for one that is too short or malformed: the receiver refuses to start.
    def verify(request: Request, context: Context) -> Verified
        the sender's delivery id if it is signed, and which secret signed. Raises BadSignature, StaleTimestamp, and
        nothing else. Usually one call of signature.verified with a Scheme.
    def normalise(request: Request, context: Context) -> Parsed
        called for verified requests only. What a sender sends has one of three fates, each explicit: it becomes
        events; it is somebody else's business and ignored by its name, known or not (Parsed with no events); it is
        meant for us and wrong, and InvalidEvent says so. Raises NotJson, NotAForm, InvalidEvent, UnsupportedMediaType.
    MAX_BYTES = 65_536                                                           (optional)
        the largest body that this kind ever sends, where `verify` must look into it: whoever is not verified yet can
        make the receiver work for it. registrar.yml's max_bytes applies where it is lower.
    class Options(BaseModel)                                                     (optional)
        what registrar.yml may say under `options` for this kind alone; extra="forbid". `context.options` is one.
    def check(context: Context) -> None                                          (optional)
        raises WeakSecret where secrets, options and the rest of registrar.yml do not go together: the receiver refuses
        to start.
    def handshake(headers: Mapping[str, str], context: Context) -> Answer        (optional)
        the answer to OPTIONS, which without it is a 405.
    SCHEME: Scheme, or def scheme(context: Context) -> Scheme | None             (optional)
        how its requests are signed: `registrar send` signs by it, and `registrar doctor` explains by it.
    def compose(content: Mapping, context: Context) -> Outgoing                  (optional)
        one of our events as this kind of sender would say it, not yet signed: `registrar send TYPE --source NAME`.
    def sign(outgoing: Outgoing, *, secret, context, now) -> Outgoing            (optional)
        proves who sent it where no Scheme does (a token), or makes what is in the body fresh before it is signed.
    def refuse(request: Request, rejected: Rejected) -> Mapping | None          (optional)
        the JSON that this sender is shown with a 200 in place of a 4xx or 5xx; None leaves that. rejected.spoken() is
        for people: what was wrong, or that it can't be taken now. Never asked about a bad signature.
    def letter(request: Request, rejected: Rejected, context: Context) -> Letter | None      (optional)
        the same where nothing of the answer is shown: it is posted to an address of the request, which is made sure of.

A delivery id that is not signed (GitHub's, Bitbucket's) is no identity: whoever caught a request could send it
again under another one. Leave it out, and the body's digest is taken.

What the sender may do is none of the file's business: ingress/endpoint.py asks registrar.yml about every event.

With it come tests/fixtures/<kind>/_sender.json (the secrets and the time that the fixtures are signed with; "signs":
what the signature covers, ["body", "timestamp"] where it says nothing), captured requests <what>__<case>.http with
the expected <what>__<case>.json beside each, and tests/sources/test_<kind>.py.
"""
