"""Short questions to services of this machine: what is wrong with them, for an examination."""

from __future__ import annotations

import os
import socket

BUS_SECONDS = 3.0
"""For the desktop's bus to answer; one that runs does within milliseconds."""


def name_fault(host: str) -> str:
    """Why a host's name leads to no address; empty where it does."""
    try:
        socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return error.strerror or "no answer"
    except (OSError, UnicodeError) as error:
        return str(error)
    return ""


def bus_fault(address: str) -> str:
    """Why the bus at one of these addresses does not answer; empty where it does.

    An address that is no Unix socket is not asked. Source: D-Bus Specification, "Server Addresses"
    and "Authentication Protocol".
    """
    fault = ""
    for server in address.split(";"):
        kind, _, rest = server.partition(":")
        values = dict(pair.partition("=")[::2] for pair in rest.split(","))
        path = values.get("path") or "\0" * ("abstract" in values) + values.get("abstract", "")
        if kind != "unix" or not path or not hasattr(socket, "AF_UNIX"):
            return ""
        fault = _silence(path)
        if not fault:
            return ""
    return fault


def _silence(path: str) -> str:
    shown = path.replace("\0", "@")
    try:
        with socket.socket(socket.AF_UNIX) as bus:
            bus.settimeout(BUS_SECONDS)
            bus.connect(path)
            bus.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
            return "" if bus.recv(64) else f"{shown} hangs up"
    except TimeoutError:
        return f"{shown} does not answer within {BUS_SECONDS:.0f} s"
    except (OSError, ValueError) as error:
        return f"{shown}: {getattr(error, 'strerror', None) or error}"
