"""The way to a host: the CA file and the proxy that the environment names, and what fails there.

Owns the words: each fault names the variable, the file or the proxy, the host and the mend.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from broker.errors import ConfigError, NetworkError

_CONTEXT = ssl.SSLContext
"""OpenSSL's own: truststore puts another in its place, which must not be made meanwhile."""
CA_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
"""The first that is set names the CA file; without one the operating system's store is trusted."""
_STORE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""OpenSSL's own: they move the operating system's store."""
_PROXY_VARIABLES = (
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "http_proxy",
    "HTTP_PROXY",
)


def ca_file(environ: Mapping[str, str]) -> str | None:
    """The CA file that the environment names, or None for the system's trust store.

    Raises:
        ConfigError: There are no certificates in it.
    """
    named = _named(CA_VARIABLES, environ)
    if named is None:
        return None
    variable, path = named
    fault = ca_fault(Path(path))
    if fault:
        raise ConfigError(
            f"{variable} names {path}, which {fault}",
            hint=f"let {variable} name a PEM file with your organisation's CA, or unset it: then"
            " the operating system's store is trusted",
        )
    return path


def require_proxy(address: str | None, host: str, environ: Mapping[str, str]) -> None:
    """Refuse a proxy that cannot be one.

    Args:
        address: The proxy's, with or without scheme; None where there is none.
        host: Who is to be reached through it.
        environ: Where the variable is looked up that names it.

    Raises:
        ConfigError: It is misspelt, or of a kind that is not supported.
    """
    if not address:
        return
    variable = _variable_of(address, environ)
    shown = _shown(address)
    parts = urlsplit(address if "://" in address else f"http://{address.lstrip('/')}")
    if parts.scheme.startswith("socks"):
        raise ConfigError(
            f"{variable} names the SOCKS proxy {shown} for {host}, and SOCKS is not supported",
            hint=f"let {variable} name an http proxy (http://HOST:PORT), or add {host} to NO_PROXY",
        )
    try:
        spelt = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        spelt = None
    if not spelt or parts.path.strip("/"):
        raise ConfigError(
            f"{variable} names {shown} for {host}, which is no address of a proxy",
            hint=f"let {variable} be http://HOST:PORT, or unset it",
        )


def proxy_fault(
    host: str, error: Exception, address: str, environ: Mapping[str, str]
) -> NetworkError:
    """What a proxy that does not let us through means.

    Args:
        host: Who was to be reached.
        error: The library's error; its text has the proxy's status.
        address: The proxy's.
        environ: Where the variable is looked up that names it.
    """
    variable, shown = _variable_of(address, environ), _shown(address)
    found = re.search(r"Tunnel connection failed: (\d{3})", str(error))
    status = int(found[1]) if found else 0
    proxy = f"the proxy {shown} ({variable})"
    direct = f"add {host} to NO_PROXY if it can be reached without"
    if status == 407:
        return NetworkError(
            f"{host} cannot be reached: {proxy} wants a user name and a password (407)",
            hint=f"let {variable} be http://USER:PASSWORD@HOST:PORT, or {direct}",
        )
    if status == 403:
        return NetworkError(
            f"{host} cannot be reached: {proxy} does not allow it (403)",
            hint=f"ask those who run the proxy to allow {host}, or {direct}",
        )
    if status:
        return NetworkError(
            f"{host} cannot be reached: {proxy} answered {status}",
            hint=f"check the address, then try again later, or {direct}",
        )
    return NetworkError(
        f"{host} cannot be reached: {proxy} does not answer",
        hint=f"check {variable}, or unset it; or {direct}",
    )


def certificate_fault(host: str, error: Exception, environ: Mapping[str, str]) -> NetworkError:
    """What a certificate that is not trusted means.

    Args:
        host: Who showed it.
        error: The library's error; its text has OpenSSL's reason.
        environ: Says whom we trust.
    """
    text = str(error)
    if "certificate" not in text.lower():
        reason = re.search(r"\[SSL: ([A-Z_]+)\]", text)
        why = f" ({reason[1].lower().replace('_', ' ')})" if reason else ""
        return NetworkError(
            f"{host} does not speak TLS as it should{why}",
            hint="check the address and its port, and whether a proxy answers in its place",
        )
    reason = re.search(r"certificate verify failed: (.+?)(?: \(_ssl|['\"]|\)*$)", text)
    why = f": {reason[1][:120]}" if reason else ""
    named = _named(CA_VARIABLES, environ)
    if named:
        variable, path = named
        return NetworkError(
            f"{host} shows a certificate that is not trusted here{why}",
            hint=f"{variable} names {path}, which alone is trusted: add the CA of {host} (or of the"
            " proxy that looks into TLS) to it, or unset it",
        )
    moved = _named(_STORE_VARIABLES, environ)
    store = f"; {moved[0]} names {moved[1]} as the system's store" if moved else ""
    if moved and not Path(moved[1]).exists():
        store += ", which does not exist"
    return NetworkError(
        f"{host} shows a certificate that is not trusted here{why}",
        hint=f"set AWS_CA_BUNDLE to your organisation's CA file{store}",
    )


def _named(variables: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The first variable that is set, and its value."""
    return next(((name, environ[name]) for name in variables if environ.get(name)), None)


def ca_fault(path: Path) -> str:
    """Why a file serves no TLS as its CA file; empty where it does."""
    try:
        if path.is_dir():
            return "is a folder"
        if path.exists() and not path.is_file():
            return "is no regular file"
        with path.open("rb") as file:
            file.read(1)
        _CONTEXT(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(str(path))
    except FileNotFoundError:
        return "does not exist"
    except ssl.SSLError:
        return "holds no certificate in PEM form"
    except (OSError, ValueError) as error:
        return f"cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})"
    return ""


def _variable_of(address: str, environ: Mapping[str, str]) -> str:
    """The variable that names a proxy, else the system's settings."""
    plain = address.partition("://")[2] or address
    for name in _PROXY_VARIABLES:
        value = environ.get(name, "")
        if value and (value.partition("://")[2] or value).rstrip("/") == plain.rstrip("/"):
            return name
    set_ones = [name for name in _PROXY_VARIABLES if environ.get(name)]
    return set_ones[0] if set_ones else "the system's proxy settings"


def _shown(address: str) -> str:
    """A proxy's address without its password."""
    scheme, mark, rest = address.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"[:120]
