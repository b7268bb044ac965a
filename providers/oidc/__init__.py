"""A person's sign-in at an OpenID provider, exchanged for roles at STS."""

from providers.oidc.provider import OidcProvider

__all__ = ["OidcProvider"]
