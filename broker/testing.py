"""For the tests of a provider plugin: the contract that each passes, and ports without a machine.

    class TestVending(ProviderContract):
        type = "vending"

        @pytest.fixture
        def provider(self, ports): ...

Needs pytest. Owns what every provider must do; not what one of them does.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from broker import registry
from broker.errors import AwsLoginError, InteractionRequired, KeychainError
from broker.ports import Ports
from broker.ports.aws import Aws
from broker.ports.browser import Browser
from broker.ports.clock import Clock
from broker.ports.http import Http
from broker.ports.secrets import Secrets
from broker.ports.security_key import SecurityKeys
from broker.ports.ui import Ui
from broker.provider import Credentials, Provider, Request
from broker.secret import Secret


class FakeClock(Clock):
    """Starts now; `sleep` moves it on at once."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime.now(UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        """The fake time, UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds of the fake time."""
        return self._now.timestamp()

    def sleep(self, seconds: float) -> None:
        """Move on without waiting."""
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move on."""
        self._now += timedelta(seconds=seconds)


class ScriptedUi(Ui):
    """A person who gives prepared answers; without answers, nobody.

    Attributes:
        asked: The questions, in order.
        shown: What had to be shown.
        warned: The warnings.
        browsed: The addresses a browser was opened at.
    """

    def __init__(
        self,
        answers: Sequence[str] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        may_browse: bool = False,
        provider: str | None = None,
    ) -> None:
        super().__init__(environ or {}, may_ask=False, quiet=True, provider=provider)
        self.interactive = answers is not None
        self.may_browse = may_browse
        self.answers = list(answers or [])
        self.asked: list[str] = []
        self.shown: list[str] = []
        self.warned: list[str] = []
        self.browsed: list[str] = []

    def ask(self, question: str, *, secret: bool = False, variable: str = "") -> str:
        """The next prepared answer."""
        del secret
        self.asked.append(question)
        if not self.answers:
            raise InteractionRequired(f"nobody answers “{question}”", hint=f"set {variable}")
        return self.answers.pop(0)

    def choose(self, title: str, options: Sequence[str], *, hint: str = "") -> int:
        """The next prepared answer is the option, or a part of it."""
        if len(options) == 1:
            return 0
        answer = self.ask(title, variable=hint)
        return next(i for i, option in enumerate(options) if answer in option)

    def confirm(self, question: str, *, about: str = "") -> bool:
        """The next prepared answer is `y` or not."""
        del about
        return self.ask(question) == "y"

    def show(self, message: str) -> None:
        """Keep what is shown."""
        self.shown.append(message)

    def progress(self, message: str) -> None:
        """Progress is not kept."""

    def waiting(self, message: str) -> None:
        """Nor is what is waited for."""

    def warn(self, message: str) -> None:
        """Keep the warning."""
        self.warned.append(message)

    def announce_browser(self) -> None:
        """There is no desktop."""

    def browse(self, url: str) -> bool:
        """Keep the address; a test may then play the browser."""
        self.browsed.append(url)
        return self.may_browse


class MemoryKeychain:
    """A keychain that forgets with the test."""

    present = True

    def __init__(self, entries: Mapping[str, str] | None = None) -> None:
        self.entries = dict(entries or {})

    def get(self, name: str) -> Secret | None:
        """An entry, or None."""
        value = self.entries.get(name)
        return Secret(value) if value is not None else None

    def set(self, name: str, value: Secret) -> None:
        """Write an entry."""
        self.entries[name] = value.reveal()

    def delete(self, name: str) -> None:
        """Remove an entry."""
        self.entries.pop(name, None)


class MemoryFiles:
    """Sealed files that forget with the test."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        """The content, or None."""
        return self.entries.get(name)

    def write(self, name: str, content: bytes) -> None:
        """Keep the content."""
        self.entries[name] = content

    def delete(self, name: str) -> None:
        """Drop it."""
        self.entries.pop(name, None)


class MemorySecrets(Secrets):
    """A provider's secrets in memory; `keychain` and `sealed` show what was kept."""

    def __init__(self, clock: Clock, keychain: MemoryKeychain | None = None) -> None:
        self.keychain = keychain or MemoryKeychain()
        self.sealed = MemoryFiles()
        super().__init__(self.keychain, self.sealed, clock, scope="team/provider", sign_in="test")


def make_ports(
    environ: Mapping[str, str],
    *,
    ui: Ui | None = None,
    clock: Clock | None = None,
    secrets: Secrets | None = None,
    security_keys: SecurityKeys | None = None,
) -> Ports:
    """Ports with the real `http` and `aws`, led to loopback servers by `environ`, and no USB."""
    clock = clock or FakeClock()
    return Ports(
        http=Http(clock, environ),
        aws=Aws(environ),
        ui=ui or ScriptedUi(environ=environ),
        secrets=secrets or MemorySecrets(clock),
        clock=clock,
        browser=Browser(environ),
        security_keys=security_keys or SecurityKeys(lambda: ()),
    )


class ProviderContract:
    """What every provider does. Subclasses set `type`, `good_options` and the fixtures.

    Fixtures to give:
        provider: An instance whose `login` succeeds.
        request_: The `Request` with which it succeeds.
        stranded: An instance without network, person, environment or anything kept.
    """

    type: str
    good_options: ClassVar[Mapping[str, Any]] = {}

    def test_is_found_by_its_type(self, provider: Provider[Any]) -> None:
        """The entry point leads to this class."""
        assert registry.load(self.type) is type(provider)

    def test_takes_its_options(self, provider: Provider[Any]) -> None:
        """Good options pass."""
        type(provider).Options.model_validate(dict(self.good_options))

    def test_refuses_an_unknown_option(self, provider: Provider[Any]) -> None:
        """A typing error in the YAML is an error."""
        with pytest.raises(ValidationError, match="Extra inputs"):
            type(provider).Options.model_validate({**self.good_options, "no_such_option": 1})

    def test_login_gives_credentials(
        self, provider: Provider[Any], request_: Request, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Keys, a token and an end in the future; stdout stays the result's own."""
        got = provider.login(request_)
        assert isinstance(got, Credentials)
        assert isinstance(got.secret_access_key, Secret)
        assert isinstance(got.session_token, Secret)
        assert got.expires_at is not None
        assert got.expires_at.utcoffset() == timedelta(0)
        assert got.expires_at > provider.ports.clock.now()
        assert got.secret_access_key.reveal() not in repr(got)
        assert got.session_token.reveal() not in repr(got)
        assert capsys.readouterr().out == ""

    def test_logs_in_again(self, provider: Provider[Any], request_: Request) -> None:
        """A second login, as after the cache has expired, works too."""
        provider.login(request_)
        assert provider.login(request_).access_key_id

    def test_logout_can_be_repeated(self, provider: Provider[Any], request_: Request) -> None:
        """Logout works after a login, and when there is nothing left to end."""
        provider.login(request_)
        provider.logout()
        provider.logout()

    def test_fails_in_our_words(self, stranded: Provider[Any], request_: Request) -> None:
        """Without anything it fails with an error of our tree that has a mend."""
        with pytest.raises(AwsLoginError) as failed:
            stranded.login(request_)
        assert failed.value.exit_code in {3, 4, 5, KeychainError.exit_code}
        assert failed.value.hint

    def test_says_whether_it_can_work_without_asking_anyone(self, provider: Provider[Any]) -> None:
        """`cannot_work_here` answers a reason or None."""
        reason = type(provider).cannot_work_here(provider.options, {})
        assert reason is None or (isinstance(reason, str) and reason)

    def test_says_who_signs_in_without_asking_anyone(self, provider: Provider[Any]) -> None:
        """`signs_in_as` answers text or None, and the same text the second time."""
        who = type(provider).signs_in_as(provider.options, os.environ)
        assert who is None or (isinstance(who, str) and who)
        assert who == type(provider).signs_in_as(provider.options, os.environ)

    def test_is_light_to_import(self, provider: Provider[Any]) -> None:
        """Its module brings none of the heavy libraries: the ports do, when they are used."""
        module = inspect.getmodule(type(provider))
        assert module
        code = (
            f"import sys, {module.__name__};"
            "print(*{'boto3', 'botocore', 'requests', 'bs4', 'playwright', 'keyring'}"
            " & set(sys.modules))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
        assert done.stdout.strip() == ""
