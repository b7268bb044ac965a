"""IAM Identity Center."""

from providers.identity_center.provider import IdentityCenter

__all__ = ["IdentityCenter"]
