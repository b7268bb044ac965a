"""A duration as a field of a pydantic model: seconds, written as `parse_duration` reads it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from broker.durations import positive_seconds

Duration = Annotated[int, BeforeValidator(positive_seconds, json_schema_input_type=int | str)]
"""Seconds."""
