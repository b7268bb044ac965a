"""What one profile may not lack or hold at once, read from its own lines alone. Pure."""

from __future__ import annotations

from typing import NamedTuple

from broker.arn import account_of
from broker.config.models import ProfileModel


class Flaw(NamedTuple):
    """What is wrong, and the key where it stands; an empty one is the profile itself."""

    key: str
    message: str
    hint: str = ""


def flaw_in(model: ProfileModel) -> Flaw | None:
    """The first flaw of a profile's structure, or None."""
    sign_in_hint = "a profile signs in by its provider, or takes its role from a source profile"
    if model.provider and model.source:
        return Flaw("source", "has both `provider` and `source`", sign_in_hint)
    if not model.provider and not model.source:
        return Flaw("", "has neither `provider` nor `source`", sign_in_hint)
    if model.role_arn and model.role:
        return Flaw("role", "has both `role` and `role_arn`", "keep one")
    if model.role and not model.account:
        return Flaw("role", "has a `role` but no `account`", "add `account`")
    if model.source and not (model.role_arn or model.role):
        return Flaw("source", "has a `source` but no role", "add `role_arn`")
    if model.account and model.role_arn and account_of(model.role_arn) != model.account:
        return Flaw("account", "`account` is not the account of `role_arn`")
    missing = set(model.transitive_tags) - set(model.session_tags)
    if missing:
        return Flaw("transitive_tags", f"`{min(missing)}` is not among `session_tags`")
    return None
