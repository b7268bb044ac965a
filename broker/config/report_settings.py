"""What the team's YAML says of `awslogin report`: silenced rules, thresholds, what is asked for."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from broker.config.values import Text


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _day(value: object) -> object:
    """A day as YAML writes it, without a time."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError("a day such as 2026-12-31") from None
    return value


class Ignore(_Model):
    """A silenced rule: of whom (`*` stands for any letters), why, and until when (its last day)."""

    rule: Text
    who: Text = "*"
    reason: Text
    until: Annotated[date, BeforeValidator(_day, json_schema_input_type=str)]


class Thresholds(_Model):
    """From how many on something is a finding."""

    addresses: int = Field(default=5, ge=1)
    failures: int = Field(default=20, ge=1)


class ReportSettings(_Model):
    """`report:` of the team's YAML."""

    require_source_identity: bool = False
    ignore: list[Ignore] = Field(default_factory=list)
    thresholds: Thresholds = Thresholds()
