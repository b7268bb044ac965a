"""Okta: which engine the org runs. Their sign-ins are `okta_classic`'s and `okta_engine`'s."""

from __future__ import annotations

from urllib.parse import urlsplit

from broker.errors import UnexpectedReply
from broker.ports.urls import joined
from providers.saml import api
from providers.saml.idp import IdentityProvider
from providers.saml.idps.okta_classic import Classic
from providers.saml.idps.okta_engine import IdentityEngine, needs_identity_engine


class Okta(IdentityProvider):
    """Takes the way that the org's engine has."""

    def response(self) -> str:
        """Sign in, and open the app."""
        self.ports.ui.progress(f"signing in at {urlsplit(self.url).netloc}")
        if self._runs_identity_engine():
            return self._by_identity_engine()
        return Classic(self).response()

    def forget(self) -> None:
        """Be a new device at the next sign-in."""
        self.ports.secrets.forget("device")
        self.ports.secrets.forget("okta-tokens")

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
        given = {"client_id": self.options.client_id, "app_id": self.options.app_id}
        missing = [name for name, value in given.items() if not value]
        if missing:
            raise needs_identity_engine(self.url, missing)
        return IdentityEngine(self).response()
