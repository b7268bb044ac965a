"""Any provider that signs in by HTML forms: the follow loop, from the start address on."""

from __future__ import annotations

from providers.saml.forms import SignIn
from providers.saml.idp import IdentityProvider


class FormIdp(IdentityProvider):
    """Reads each page as it comes; `fields` of the YAML says where a page's names do not tell."""

    def response(self) -> str:
        """Walk from `url` to the SAMLResponse."""
        chosen = self.options.fields
        selectors = chosen.model_dump(exclude_none=True) if chosen else {}
        self.ports.ui.progress(f"signing in at {self.url.split('/')[2]}")
        allowed = self.options.password_origins()
        return SignIn(self.ports, self.person, allowed, selectors).response(self.url)
