"""All parts on one machine, as real processes with their data in one folder: `registrar up`, the demo, the tests.

    with Stack(Path(".registrar"), say=print) as stack:
        stack.addresses.receiver_url

Nothing here loads the parts' own code: this process watches them, and should be the last to run out of memory.
"""

from registrar.local.data_folder import AlreadyRunning
from registrar.local.installation import Addresses
from registrar.local.local_stack import Stack, serve
from registrar.local.supervisor import CannotStart

__all__ = ["Addresses", "AlreadyRunning", "CannotStart", "Stack", "serve"]
