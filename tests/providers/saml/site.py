"""A provider whose pages a test writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.providers.saml.walks import Walk
from tests.sandbox import Sandbox, saml
from tests.sandbox.server import Answer, Asked, Service, html

PASSWORD_FORM = (
    "<form method=post action='{action}'><input type=hidden name=t value=1>"
    "<input name=user><input type=password name=pw></form>"
)


class Site:
    """A provider whose pages a test writes: an address's path, and its page or what makes it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.asked: list[Asked] = []
        self.pages: dict[str, str | Answer | Callable[[Asked], Answer | str]] = {}
        self.pages["/done"] = self.done()
        self._service = Service("site", self._handle, self.asked)
        self.url = self._service.url
        self.stop = self._service.stop

    def done(self, user: str = "ann") -> str:
        response = self.sandbox.assertion(user)
        return (
            f"<form method=post action='{saml.ACS}'>"
            f"<input type=hidden name=SAMLResponse value='{response}'></form>"
        )

    def login(self, action: str = "/login") -> None:
        self.pages["/"] = PASSWORD_FORM.format(action=action)

    def walk(self, user: str = "ann", **more: Any) -> Walk:
        return Walk(self.sandbox, more.pop("idp", "form"), f"{self.url}/", user, **more)

    def posts(self, path: str) -> list[dict[str, str]]:
        return [one.form for one in self.asked if (one.method, one.path) == ("POST", path)]

    def _handle(self, asked: Asked) -> Answer:
        page = self.pages.get(asked.path, html("<title>No such page</title>", 404))
        made = page(asked) if callable(page) else page
        return made if isinstance(made, Answer) else html(made)
