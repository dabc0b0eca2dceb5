"""Kinds of sources: one file or folder per kind, found by its name, which registrar.yml gives as `kind`.

A kind defines these, without I/O and with no clock but request.received_at (types: ingress/source_types.py):

CONTENT_TYPES = {"application/json"} the media types that this kind sends; any other is a 415. None: any, and normalise
says which it can read. def check_secret(secret: str) -> None raises WeakSecret for one that is too short or malformed:
the receiver refuses to start. def verify(request: Request, context: Context) -> Verified the sender's delivery id if it
is signed, and which secret signed. Raises BadSignature, StaleTimestamp, and nothing else. Usually one call of
signature.verified with a Scheme. def normalise(request: Request, context: Context) -> Parsed called for verified
requests only. A payload has one of three explicit fates: it becomes events; it is not meant for us, and ignored by its
name (Parsed without events); it is meant for us and wrong: InvalidEvent. Raises NotJson, NotAForm, InvalidEvent,
UnsupportedMediaType. MAX_BYTES = 65_536                                                           (optional) the
largest body that this kind ever sends, where `verify` must look into it: whoever is not verified yet can make the
receiver work for it. registrar.yml's max_bytes applies where it is lower. class Options(BaseModel)
(optional) what registrar.yml may say under `options` for this kind alone; extra="forbid". `context.options` is one. def
check(context: Context) -> None                                          (optional) raises WeakSecret where secrets,
options and the rest of registrar.yml do not go together: the receiver refuses to start. def handshake(headers:
Mapping[str, str], context: Context) -> Answer        (optional) the answer to OPTIONS, which without it is a 405.
SCHEME: Scheme, or def scheme(context: Context) -> Scheme | None             (optional) how its requests are signed:
`registrar send` signs by it, and `registrar doctor` explains by it. def compose(content: Mapping, context: Context) ->
Outgoing                  (optional) one of our events in this kind's form, unsigned: `registrar send TYPE --source
NAME`. def sign(outgoing: Outgoing, *, secret, context, now) -> Outgoing            (optional) proves who sent it where
no Scheme does (a token), or makes what is in the body fresh before it is signed. def refuse(request: Request, rejected:
Rejected) -> Mapping | None          (optional) the JSON that this sender is shown with a 200 in place of a 4xx or 5xx;
None leaves that. rejected.spoken() is for people: what was wrong, or that it can't be taken now. Never asked about a
bad signature. def async_reply(request: Request, rejected: Rejected, context: Context) -> ChatReply | None
(optional) the same where nothing of the answer is shown: it is posted to an address of the request, which is made sure
of.

A delivery id that is not signed (GitHub's, Bitbucket's) is no identity: a captured request could be sent again under
another one. Leave it out: then the body's digest is the identity.

A kind does not check permissions: ingress/endpoint.py checks every event against `may` in registrar.yml.

With it come tests/fixtures/<kind>/_sender.json (the secrets and the time that the fixtures are signed with; "signs":
what the signature covers, ["body", "timestamp"] where it says nothing), captured requests <what>__<case>.http with the
expected <what>__<case>.json beside each, and tests/sources/test_<kind>.py.
"""
