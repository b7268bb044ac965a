"""Identity Center in this process: a person with a browser, and a sign-in that is kept."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from broker.provider import Request
from broker.testing import FakeClock, MemorySecrets, ScriptedUi, make_ports
from providers.identity_center import IdentityCenter
from providers.identity_center.options import IdentityCenterOptions
from tests.sandbox import DEV, Sandbox
from tests.sandbox.regions import TwoRegions
from tests.support import PATIENCE

STAGE = Request(profile="stage", region="eu-west-1", account=DEV, role="Developer")


class Visitor(ScriptedUi):
    """A person who confirms device codes, and whose browser follows what is opened in it."""

    def __init__(self, sandbox: Sandbox, *, may_browse: bool = True, deny: bool = False) -> None:
        super().__init__([], may_browse=may_browse)
        self._sandbox = sandbox
        self._deny = deny
        self.page: requests.Response | None = None

    def show(self, message: str) -> None:
        super().show(message)
        code = re.search(r"the code (\S+)", message)
        if code:
            (self._sandbox.deny if self._deny else self._sandbox.approve)(code.group(1))

    def browse(self, url: str) -> bool:
        if "/authorize" in url:
            threading.Thread(target=self._decide, args=(url,), daemon=True).start()
        return super().browse(url)

    def _decide(self, url: str) -> None:
        choice = {"deny": "1"} if self._deny else {"person": "ann"}
        self.page = requests.post(url, data=choice, timeout=PATIENCE)


Make = Callable[..., IdentityCenter]


@pytest.fixture
def make(sandbox: Sandbox) -> Make:
    """Makes a provider; `secrets` and `clock` may be those of an earlier command."""

    def one(
        *,
        ui: ScriptedUi | None = None,
        clock: FakeClock | None = None,
        secrets: MemorySecrets | None = None,
        environ: dict[str, str] | None = None,
        **options: Any,
    ) -> IdentityCenter:
        values = {"start_url": sandbox.start_url, "region": "eu-west-1", "flow": "device"}
        checked = IdentityCenterOptions.model_validate(values | options)
        clock = clock or FakeClock()
        ports = make_ports(
            environ or sandbox.env(), ui=ui or Visitor(sandbox), clock=clock, secrets=secrets
        )
        return IdentityCenter("corp", checked, ports)

    return one


@pytest.fixture(autouse=True)
def _plain_machine(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    """A desktop, whatever machine this is; AWS is the sandbox."""
    for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "WSL_DISTRO_NAME", "container"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    for name, value in sandbox.env().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def regions(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TwoRegions]:
    """Two Regions at AWS's own host names."""
    with TwoRegions(sandbox, tmp_path) as running:
        for name in sandbox.env():
            monkeypatch.delenv(name)
        for name, value in running.env().items():
            monkeypatch.setenv(name, value)
        yield running
