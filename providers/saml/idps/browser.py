"""Any provider, any second factor: the person signs in in a browser, which stops before AWS.

Owns when a person is needed, AWS's sign-in addresses and what is kept of the browser. Source: AWS
General Reference, "AWS Sign-In endpoints"; IAM User Guide, "SAML 2.0 federation".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from broker.errors import InteractionRequired
from providers.saml.idp import IdentityProvider

if TYPE_CHECKING:
    from broker.ports.browser import InterceptedPost

SIGN_IN_HOSTS = (
    "signin.aws.amazon.com",
    "signin.amazonaws.cn",
    "signin.amazonaws-us-gov.com",
    "signin.amazonaws-eusc.eu",
)
"""Of each partition; each region's own has the region before it."""

_COOKIES = "browser"
"""Under this name the browser's cookies are sealed: with them the next sign-in needs no window."""


class BrowserIdp(IdentityProvider):
    """Opens a browser at `url`; without a window where the last sign-in still holds."""

    def response(self) -> str:
        """The SAMLResponse that the browser was about to post to AWS."""
        state = self.ports.secrets.recall(_COOKIES)
        posted = self._without_window(state) or self._with_person(state)
        if posted.state:
            self.ports.secrets.remember(_COOKIES, posted.state, until=None)
        return posted.value

    def forget(self) -> None:
        """Drop the browser's cookies: the next sign-in asks the person again."""
        self.ports.secrets.forget(_COOKIES)

    def _without_window(self, state: dict[str, Any] | None) -> InterceptedPost | None:
        """Try it without a person, where that may work; None where one is needed."""
        headless = self.options.headless
        if headless == "auto":
            headless = state is not None or not self.ports.ui.may_browse
        if not headless:
            return None
        self.ports.ui.progress(f"signing in at {self._host} with a browser")
        return self._intercept(state, window=False)

    def _with_person(self, state: dict[str, Any] | None) -> InterceptedPost:
        if self.options.headless is True or not self.ports.ui.may_browse:
            raise InteractionRequired(
                f"a person must sign in at {self._host} in a browser window",
                hint="run it once at a desktop's terminal, without --no-input and --no-browser and"
                " with `headless: auto`; while that sign-in holds, later ones need nobody",
            )
        self.ports.ui.announce_browser()
        self.ports.ui.show(f"sign in at {self._host} in the browser window that opens")
        posted = self._intercept(state, window=True)
        assert posted
        return posted

    def _intercept(self, state: dict[str, Any] | None, *, window: bool) -> InterceptedPost | None:
        return self.ports.browser.intercept(
            self.url,
            sites=self._sites(),
            field="SAMLResponse",
            window=window,
            state=state,
            kind=self.options.browser,
            executable=self.options.executable,
        )

    def _sites(self) -> list[str]:
        """Where a SAMLResponse is for AWS."""
        hosts = [label + host for host in SIGN_IN_HOSTS for label in ("", "*.")]
        sites = [f"{scheme}://{host}/saml" for host in hosts for scheme in ("https", "http")]
        other = self.ports.aws.endpoint("signin")
        return [*sites, f"{other.rstrip('/')}/saml"] if other else sites

    @property
    def _host(self) -> str:
        return urlsplit(self.url).netloc
