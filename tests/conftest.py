"""Fixtures of the whole suite: a home, a sandbox, and no network but loopback."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.ports import http
from tests.preloaded import read_models_once
from tests.sandbox import Sandbox
from tests.support import PATIENCE, Home, cheap_vault

read_models_once()
_connect = socket.socket.connect


def _connect_to_loopback(self: socket.socket, address: Any) -> None:
    if self.family in {socket.AF_INET, socket.AF_INET6}:
        host = ipaddress.ip_address(address[0])
        host = getattr(host, "ipv4_mapped", None) or host
        assert host.is_loopback, f"a test connects to {address}"
    _connect(self, address)


@pytest.fixture(autouse=True)
def _loopback_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test of this process leaves the machine."""
    monkeypatch.setattr(socket.socket, "connect", _connect_to_loopback)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply of the sandbox may take long on a busy machine."""
    monkeypatch.setattr(http, "TIMEOUT", (PATIENCE, PATIENCE))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Strict AWS services and identity providers on loopback."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A machine without AWS endpoints, with an empty vault that opens at once."""
    cheap_vault(tmp_path / "awslogin" / "vault")
    return Home(tmp_path)


@pytest.fixture
def signed_up(home: Home, sandbox: Sandbox) -> Home:
    """A machine whose AWS is the sandbox."""
    home.environ |= sandbox.env()
    return home
