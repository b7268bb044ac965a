"""A profile with a `source` and no role: the source's own session, used in another region."""

from __future__ import annotations

from dataclasses import replace

from broker.config.document import Document
from broker.config.models import ProfileModel
from broker.config.profile import Profile
from broker.errors import UsageError

ALIAS_FIELDS = {"source", "region", "duration", "tags"}
"""What such a profile may have."""


def is_alias(model: ProfileModel) -> bool:
    """Whether it takes no role of its own with its source's session."""
    return model.source is not None and not (model.role_arn or model.role)


def alias_of(source: Profile, name: str, model: ProfileModel, document: Document) -> Profile:
    """The source under another name; its sign-in, role and credentials stay the source's.

    Raises:
        ConfigError: The region is none, or the role is in another partition.
    """
    given = model.model_fields_set
    own = {field: document.origin(("profiles", name, field)) for field in given}
    alias = replace(source, name=name, tags=model.tags, origins={**source.origins, **own})
    field = "region"
    try:
        if model.region:
            alias = alias.with_region(model.region)
        field = "duration"
        return alias.with_duration(model.duration) if model.duration else alias
    except UsageError as error:
        reason = error.message.removeprefix("--region: ")
        raise document.error(("profiles", name, field), reason, profile=name) from error
