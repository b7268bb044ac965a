"""`os`, as far as the warm path uses it, of the built-in `posix` alone.

The line that `setup` writes starts Python without `os`, whose import is a tenth of its time.
"""

import sys
from posix import (
    O_RDWR,
    _exit,
    close,
    execv,
    fstat,
    getcwd,
    geteuid,
    getppid,
    isatty,
    lstat,
    open,  # noqa: A004 - as in `os`
    set_inheritable,
    stat,
    write,
)
from posix import environ as _environ

__all__ = [
    "O_RDWR", "_exit", "close", "devnull", "environ", "execv", "fsdecode", "fsencode", "fstat",
    "getcwd", "geteuid", "getppid", "isatty", "lstat", "name", "open", "path",
    "set_inheritable", "stat", "write",
]  # fmt: skip

name = "posix"
devnull = "/dev/null"
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


def fsencode(text: str) -> bytes:
    """As `os.fsencode`."""
    return text.encode(_ENCODING, _ERRORS)


def fsdecode(text: bytes) -> str:
    """As `os.fsdecode`."""
    return text.decode(_ENCODING, _ERRORS)


class environ:  # noqa: N801 - as in `os`
    """As `os.environ`, for reading one variable."""

    @staticmethod
    def get(variable: str, default: "str | None" = None) -> "str | None":
        """As `os.environ.get`."""
        value = _environ.get(fsencode(variable))
        return default if value is None else fsdecode(value)


class path:  # noqa: N801 - as in `os`
    """As `os.path`."""

    @staticmethod
    def join(first: str, second: str) -> str:
        """As `os.path.join` of two."""
        if second.startswith("/"):
            return second
        return first + second if not first or first.endswith("/") else f"{first}/{second}"

    @staticmethod
    def dirname(whole: str) -> str:
        """As `os.path.dirname`."""
        head = whole[: whole.rfind("/") + 1]
        return head.rstrip("/") or head

    @staticmethod
    def expanduser(whole: str) -> str:
        """As `os.path.expanduser`; `os` is imported where HOME does not say it all."""
        if not whole.startswith("~"):
            return whole
        home = environ.get("HOME")
        if home is not None and whole[1:2] in ("", "/"):
            return home.rstrip("/") + whole[1:] or "/"
        from posixpath import expanduser

        return expanduser(whole)
