"""What one profile may not lack or hold at once, read from its own lines alone. Pure."""

from __future__ import annotations

from typing import NamedTuple

from broker.arn import account_of, partition_of, region_for
from broker.config.aliases import ALIAS_FIELDS, is_alias
from broker.config.models import ProfileModel
from broker.config.profile import Profile


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
    if is_alias(model):
        extra = sorted(model.model_fields_set - ALIAS_FIELDS)
        if extra:
            return Flaw(
                extra[0],
                f"has a `source` but no role: so it takes no `{extra[0]}`",
                "add `role_arn`, or take it out: an alias has a `region` of its own alone",
            )
    if model.account and model.role_arn and account_of(model.role_arn) != model.account:
        return Flaw("account", "`account` is not the account of `role_arn`")
    missing = set(model.transitive_tags) - set(model.session_tags)
    if missing:
        return Flaw("transitive_tags", f"`{min(missing)}` is not among `session_tags`")
    return None


def misfit_of_partitions(model: ProfileModel, region: str, source: Profile | None) -> Flaw | None:
    """A role that its own region or its source's role cannot meet: AWS's partitions are apart."""
    partition = partition_of(region, model.role_arn)
    if source and source.role_arn and model.role_arn:
        theirs = partition_of(source.region, source.role_arn)
        if theirs != partition:
            return Flaw(
                "role_arn",
                f"its role is in {partition}, that of its source `{source.name}` in {theirs}",
                "AWS takes no role of another partition",
            )
    if model.region and partition != partition_of(region):
        return Flaw(
            "region",
            f"its role is in {partition}, {region} in {partition_of(region)}",
            f"leave `region` out, or name one such as {region_for(model.role_arn)}",
        )
    return None
