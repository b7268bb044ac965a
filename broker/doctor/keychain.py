"""The keychain: absent, locked, silent, or plain text."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from broker.doctor.finding import Finding, Machine
from broker.ports.keychain import LazyKeychain
from broker.ports.probes import bus_fault
from broker.ports.ui import Ui
from broker.sealing_key import KEY_NAME

DESKTOP_BUS = "DBUS_SESSION_BUS_ADDRESS"


def keychain(machine: Machine) -> Iterator[Finding]:
    """Opens it as a command would, but asks nobody."""
    environ = machine.environ
    if environ.get("AWSLOGIN_KEYRING") == "none":
        yield Finding(
            "keychain",
            "info",
            "AWSLOGIN_KEYRING=none: nothing is kept",
            "unset AWSLOGIN_KEYRING",
        )
        return
    found = LazyKeychain(Ui(environ, may_ask=False, quiet=True), environ)
    if not found.present:  # raises what is wrong with one that is there
        mend = "set AWSLOGIN_KEYRING=file and AWSLOGIN_PASSPHRASE, which makes an encrypted file"
        problem = "this machine has no keychain"
        if environ.get("AWSLOGIN_KEYRING") == "file":
            problem = "nothing opens the encrypted file"
            mend = "set AWSLOGIN_PASSPHRASE, which opens it"
        elif sys.platform == "linux" and not environ.get(DESKTOP_BUS):
            problem += f" ({DESKTOP_BUS} is not set: there is no desktop session)"
        yield Finding("keychain", "warning", f"{problem}, so sessions are not kept", mend)
        return
    found.get(KEY_NAME)  # a locked or silent one raises
    name = environ.get("AWSLOGIN_KEYRING") or "the system's"
    yield Finding("keychain", "ok", f"{'an encrypted file' if name == 'file' else name} opens")


def desktop_bus(machine: Machine) -> Iterator[Finding]:
    """Linux's desktop keychains are reached by it."""
    if sys.platform != "linux":
        return
    address = machine.environ.get(DESKTOP_BUS)
    if not address:
        yield Finding("dbus", "info", f"{DESKTOP_BUS} is not set: there is no desktop session")
    elif fault := bus_fault(address):
        mend = f"log in to the desktop anew, or unset {DESKTOP_BUS}"
        yield Finding("dbus", "warning", f"{DESKTOP_BUS} leads to no bus: {fault}", mend)
    else:
        yield Finding("dbus", "ok", "the desktop's bus answers")
