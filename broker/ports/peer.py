"""Whose program is at the other end of a connection over 127.0.0.1, by the kernel's word.

Linux alone tells: sock_diag(7) for that one socket, else proc(5)'s /proc/net/tcp. Only a socket
that is established and that some process still holds (it has an inode) counts: one that was closed
is shown as root's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = 0
"""Who may read our memory anyway, and relays ports into WSL."""

_SOCK_DIAG = 4
_REQUEST = struct.Struct("=IHHIIBBBBIHH16s16sIII")
"""linux/netlink.h `nlmsghdr`, linux/inet_diag.h `inet_diag_req_v2`; ports in network order."""
_REPLY = struct.Struct("=4xH10xxB2x48x12xII")
"""Of `nlmsghdr` the type; of `inet_diag_msg` state, user and inode."""
_BY_FAMILY, _REQUESTED, _ANY_COOKIE, _ALL_STATES = 20, 1, 0xFFFFFFFF, 0xFFFFFFFF
_ESTABLISHED = 1
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Address = tuple[str, int]


def is_ours(connection: socket.socket) -> bool:
    """Whether the peer is a program of this user or of root; also where no system can say it."""
    if sys.platform != "linux":
        return True
    try:
        known, user = user_of(connection.getpeername(), connection.getsockname())
    except OSError:
        return False
    return not known or user in {os.geteuid(), ROOT}


def user_of(local: Address, remote: Address) -> tuple[bool, int | None]:
    """Whether the kernel tells, and the user who holds the established socket between these.

    Args:
        local: The socket's own end.
        remote: Its other end.

    Raises:
        OSError: It would tell, but this process has no room to ask.
    """
    try:
        found = _asked(local, remote)
        if found is None and _asked(remote, local, state=None) is None:
            raise OSError("sock_diag does not know the other end of that connection either")
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise
        return _read(local, remote)
    return True, found


def _asked(local: Address, remote: Address, state: int | None = _ESTABLISHED) -> int | None:
    """The user of a socket, as sock_diag has it; None where there is none in that state.

    Raises:
        OSError: It cannot be asked.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as link:
        link.settimeout(1)
        for family, width in ((socket.AF_INET, 0), (socket.AF_INET6, 12)):
            mapped = b"\0" * max(width - 2, 0) + b"\xff\xff" * (width > 0)
            ends = [
                (mapped + socket.inet_aton(host)).ljust(16, b"\0") for host, _ in (local, remote)
            ]
            ports = [socket.htons(port) for _, port in (local, remote)]
            head = (_REQUEST.size, _BY_FAMILY, _REQUESTED, 1, 0)
            asked = (family, socket.IPPROTO_TCP, 0, 0, _ALL_STATES)
            link.send(_REQUEST.pack(*head, *asked, *ports, *ends, 0, _ANY_COOKIE, _ANY_COOKIE))
            reply = link.recv(4096).ljust(_REPLY.size, b"\0")
            kind, found, user, inode = _REPLY.unpack_from(reply)
            if kind == _BY_FAMILY and (state is None or (found == state and inode)):
                return int(user)
    return None


def _read(local: Address, remote: Address) -> tuple[bool, int | None]:
    """Whether the kernel's tables could be read, and the user of the socket if it is in them.

    /proc/net/tcp6 too: a program that speaks IPv6 reaches 127.0.0.1 as well.
    """
    was_read = False
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for ends, state, user, inode in _lines(Path(f"/proc/net/{table}").read_text()):
                was_read = True
                here, there = (_as_in_proc(address) for address in (local, remote))
                if ends[0].endswith(here) and ends[1].endswith(there) and state == _ESTABLISHED:
                    return True, user if inode else None
    return was_read, None


def _lines(table: str) -> Iterator[tuple[tuple[str, str], int, int, int]]:
    """Both ends, state, user and inode of each socket."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        yield (fields[1], fields[2]), int(fields[3], 16), int(fields[7]), int(fields[9])


def _as_in_proc(address: Address) -> str:
    """`0100007F:1F90`: the address as a number of this machine, and the port."""
    number = int.from_bytes(socket.inet_aton(address[0]), sys.byteorder)
    return f"{number:08X}:{address[1]:04X}"
