"""Runs all parts on one machine, as processes with their data in one folder: for `registrar up`, the demo and tests.

    with Stack(Path(".registrar"), say=print) as stack:
        stack.addresses.receiver_url

This package never imports the parts' own code, so that the process that watches them stays small.
"""

from registrar.local.data_folder import AlreadyRunning
from registrar.local.installation import Addresses
from registrar.local.local_stack import Stack, serve
from registrar.local.supervisor import CannotStart

__all__ = ["Addresses", "AlreadyRunning", "CannotStart", "Stack", "serve"]
