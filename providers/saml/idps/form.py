"""Any provider that signs in by HTML forms: the follow loop, from the start address on.

Serves `form`, `auto` and every kind whose pages alone are special.
"""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import urlsplit

from providers.saml.idp import IdentityProvider
from providers.saml.walk import Walk, readers


class FormIdp(IdentityProvider):
    """Reads each page as it comes; `fields` of the YAML says where a page's names do not tell.

    Attributes:
        START: Path and query of this kind's sign-in to AWS, for a `url` that names the host alone.
    """

    START: ClassVar[str] = ""

    @property
    def start(self) -> str:
        """Where the sign-in starts."""
        parts = urlsplit(self.url)
        return self.url.rstrip("/") + self.START if parts.path in {"", "/"} else self.url

    def response(self) -> str:
        """Walk from the start to the SAMLResponse."""
        chosen = self.options.fields
        walk = Walk(
            self.ports,
            self.person,
            allowed=self.options.password_origins(),
            selectors=chosen.model_dump(exclude_none=True) if chosen else {},
            mfa=self.options.mfa,
            readers=readers(),
        )
        self.ports.ui.progress(f"signing in at {urlsplit(self.url).netloc.rpartition('@')[2]}")
        return walk.response(self.start)
