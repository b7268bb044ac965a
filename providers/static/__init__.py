"""A user's own IAM keys: sessions and roles, one-time codes, rotation."""

from providers.static.provider import Static

__all__ = ["Static"]
