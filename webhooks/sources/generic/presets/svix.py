"""Svix: our own event JSON through its endpoints, signed by Standard Webhooks under Svix's header names.

https://docs.svix.com/receiving/verifying-payloads/how-manual
"""

from registrar.events.types import VOCABULARY

VERIFY = {
    "how": "hmac",
    "header": "svix-signature",
    "signed": "{id}.{timestamp}.{body}",
    "key": "whsec",
    "encoding": "base64",
    "prefix": "v1,",
    "separator": " ",
    "timestamp_header": "svix-timestamp",
    "id_header": "svix-id",
}
DELIVERY_ID = None  # svix-id is signed
RULES = [
    {"when": f"type == '{type_}'", "type": type_, "data": "data", "at": "timestamp"}
    for type_ in sorted(VOCABULARY)
    if type_ != "registry.query"
]
