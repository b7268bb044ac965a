"""The base of every provider's options, in pydantic; plugins import it from `broker.provider`."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict


class ProviderOptions(BaseModel):
    """Base of every provider's options: an unknown key in the YAML is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def sign_in(self, **who: Any) -> dict[str, Any]:
        """What makes it another sign-in, beside the provider's name, type and endpoints.

        Args:
            **who: The team, the user's name, and whose keys and MFA device sign for it.
        """
        return {"options": self.model_dump(mode="json"), **who}

    @property
    def region_of_its_own(self) -> str | None:
        """The region of profiles that name none: where the provider itself is; None without one."""
        return getattr(self, "region", None)

    def secret_sites(self) -> tuple[str, ...]:
        """Where this provider's secrets of the keychain may be sent: they are kept for these alone.

        Origins such as `https://login.example.com:443`; none, where they go to AWS alone. Unless a
        provider says it, all its options count: with another one, the person is asked anew.
        """
        options = self.model_dump(mode="json", exclude_defaults=True)
        return (json.dumps(options, sort_keys=True),) if options else ()
