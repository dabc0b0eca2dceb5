"""All parts on one machine, as real processes with their data in one folder: `registrar up`, the demo, the tests.

    with Stack(Path(".registrar"), say=print) as stack:
        stack.addresses.receiver_url

Nothing here loads the parts' own code: this process watches them, and should be the last to run out of memory.
"""

from registrar.embedded.lock import AlreadyRunning
from registrar.embedded.serve import serve
from registrar.embedded.site import Addresses
from registrar.embedded.stack import Stack
from registrar.embedded.supervisor import CannotStart

__all__ = ["Addresses", "AlreadyRunning", "CannotStart", "Stack", "serve"]
