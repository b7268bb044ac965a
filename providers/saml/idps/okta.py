"""Okta: which engine the org runs. Their sign-ins are `okta_classic`'s and `okta_engine`'s."""

from __future__ import annotations

from urllib.parse import urlsplit

from broker.errors import ConfigError, UnexpectedReply
from broker.ports.urls import joined
from providers.saml import api
from providers.saml.idp import IdentityProvider
from providers.saml.idps import okta_device
from providers.saml.idps.okta_classic import Classic
from providers.saml.idps.okta_engine import IdentityEngine, needs_identity_engine
from providers.saml.idps.okta_idx import Idx


class Okta(IdentityProvider):
    """Takes the way that the org's engine has."""

    def response(self) -> str:
        """Sign in, and open the app."""
        self.ports.ui.progress(f"signing in at {urlsplit(self.url).netloc}")
        self._require_the_right_app()
        if self._runs_identity_engine():
            return self._by_identity_engine()
        if not urlsplit(self.url).path.strip("/"):
            raise _no_app(self.url, "is the org's own address, which opens no app")
        return Classic(self).response()

    def forget(self) -> None:
        """Be a new device at the next sign-in."""
        okta_device.forget(self.ports.secrets)
        self.ports.secrets.forget("okta-tokens")

    def _require_the_right_app(self) -> None:
        path = urlsplit(self.url).path
        if "/amazon_aws_sso/" in path:
            raise ConfigError(
                f"`url` {self.url} opens Okta's app for IAM Identity Center, whose assertion gives"
                " no role of an account",
                hint="use `type: identity-center` with the portal's `start_url`, or the app “AWS"
                " Account Federation” (…/home/amazon_aws/…)",
            )
        if path.lower().startswith("/app/userhome"):
            raise _no_app(self.url, "is the dashboard, which opens no app")

    def _runs_identity_engine(self) -> bool:
        """What the org says of itself; one that does not say is a Classic one."""
        reply = self.ports.http.session().get(
            joined(self.url, "/.well-known/okta-organization"),
            headers={"Accept": "application/json"},
        )
        try:
            return reply.status == 200 and api.answer(reply).get("pipeline") == "idx"
        except UnexpectedReply:
            return False

    def _by_identity_engine(self) -> str:
        """By a device code where the YAML has its client, else as the sign-in page does it."""
        given = {"client_id": self.options.client_id, "app_id": self.options.app_id}
        missing = [name for name, value in given.items() if not value]
        if not missing:
            return IdentityEngine(self).response()
        on_page = Idx(self).response() if len(missing) == len(given) else None
        if on_page is None:
            raise needs_identity_engine(self.url, missing)
        return on_page


def _no_app(url: str, why: str) -> ConfigError:
    return ConfigError(
        f"`url` {url} {why}",
        hint="set `url` to the AWS app's embed link, such as"
        f" {joined(url, '/home/amazon_aws/0oa…/272')}: on Okta's dashboard, copy the link of the"
        " app's tile",
    )
