"""Who sits at this machine, for the journal: by the operating system, not by what the environment says."""

import os
import pwd
import socket

from registrar.events.event import Actor


def local_user() -> Actor:
    """As local:USER; in a container the user may have no name."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return Actor(f"local:{user}", f"{user} on {socket.gethostname()}")
