"""Kinds that sign in by themselves, and leave to a browser what a browser alone can do.

Owns when the browser takes over: where the YAML says how it is to run, where the last sign-in
needed it, where the provider asks for a captcha, for Duo, or for scripts that we do not know, and
where there is no terminal to ask at.
"""

from __future__ import annotations

from broker.errors import AwsLoginError, ConfigError, InteractionRequired
from providers.saml.factors import BrowserAloneError
from providers.saml.idps.browser import BrowserIdp
from providers.saml.idps.form import FormIdp
from providers.saml.refusals import NeedsBrowserError


class FormOrBrowser(FormIdp):
    """The pages' forms or JSON first, then a browser where one may open."""

    def response(self) -> str:
        """Sign in; raises as `IdentityProvider.response`."""
        if self._is_the_browsers():
            return self._browser().response()
        try:
            return self.natively()
        except (NeedsBrowserError, BrowserAloneError) as beyond:
            return self._go_on(beyond)
        except InteractionRequired as asked:
            if self.ports.ui.interactive:
                raise
            return self._go_on(asked)  # where no terminal is, a browser may be

    def natively(self) -> str:
        """Without a browser.

        Raises:
            NeedsBrowserError: It takes a browser.
            BrowserAloneError: The second factor does.
        """
        return super().response()

    def forget(self) -> None:
        """Drop the browser's cookies, so that the next sign-in is by itself again."""
        self._browser().forget()

    def _is_the_browsers(self) -> bool:
        options = self.options
        chosen = options.browser or options.executable or options.headless != "auto"
        return bool(chosen) or self.ports.secrets.recall("browser") is not None

    def _go_on(self, beyond: AwsLoginError) -> str:
        """In the browser, where one may open."""
        if not self.ports.ui.may_browse:
            raise beyond
        self.ports.ui.show(f"{beyond.message}: going on in a browser")
        try:
            return self._browser().response()
        except ConfigError as missing:  # no browser, or nothing to steer one
            message = f"{beyond.message}, which takes a browser; {missing.message}"
            raise ConfigError(message, hint=missing.hint) from None

    def _browser(self) -> BrowserIdp:
        return BrowserIdp(self.options, self.ports, self.person)
