"""JSON schemas of what awslogin prints, as `config schema` publishes them.

Owns the shapes that scripts rely on: every field is required. Of `list`, `status`, `report` and
errors a later release may add fields; a session's change with its `version` alone.
"""

from __future__ import annotations

from typing import Any

from broker import errors
from broker.session import VERSION, published_fields

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT = {"type": "string", "minLength": 1}
_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


_ACCOUNT = _nullable({"type": "string", "pattern": r"^\d{12}$"})


def _object(properties: dict[str, Any], *, open_ended: bool) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": open_ended,
    }


def _published(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": _DIALECT, "title": f"awslogin {name}", **schema}


_SESSION = {
    "version": {"const": VERSION},
    "profile": _TEXT,
    "provider": _TEXT,
    "type": _TEXT,
    "account_id": _ACCOUNT,
    "arn": _nullable(_TEXT),
    "partition": _TEXT,
    "region": _TEXT,
    "access_key_id": _TEXT,
    "secret_access_key": _TEXT,
    "session_token": _nullable(_TEXT),
    "issued_at": _TIME,
    "expires_at": _nullable(_TIME),
    "from_cache": {"type": "boolean"},
}
assert _SESSION.keys() == {"version", *published_fields()}

_PROFILE = {
    "profile": _TEXT,
    "provider": _TEXT,
    "type": _TEXT,
    "account_id": _ACCOUNT,
    "role": _nullable(_TEXT),
    "source": _nullable(_TEXT),
    "region": _TEXT,
    "tags": {"type": "object", "additionalProperties": {"type": "string"}},
}
_CACHED = _PROFILE | {"expires_at": _nullable(_TIME), "fresh": {"type": "boolean"}}

_KINDS = (
    errors.Bug,
    errors.UsageError,
    errors.ConfigError,
    errors.LoginRefused,
    errors.InteractionRequired,
    errors.NetworkError,
    errors.UnexpectedReply,
    errors.KeychainError,
    errors.RoleRefused,
)
_FAILURE = {
    "code": {"enum": [*(kind.code for kind in _KINDS), "interrupted"]},
    "exit": {"enum": [*sorted({kind.exit_code for kind in _KINDS}), errors.EXIT_INTERRUPTED]},
    "message": _TEXT,
    "hint": {"type": "string"},
    "profile": _nullable(_TEXT),
}

_COUNT = {"type": "integer", "minimum": 0}
_SEVERITIES = ["error", "warning", "info"]
_SOURCE = {
    "kind": {"enum": ["machine", "credential-report", "cloudtrail", "athena"]},
    "detail": _TEXT,
    "from": _nullable(_TIME),
    "to": _nullable(_TIME),
    "events": _COUNT,
    "warnings": {"type": "array", "items": _TEXT},
}
_FINDING = {
    "id": _TEXT,
    "severity": {"enum": _SEVERITIES},
    "title": _TEXT,
    "who": {"type": "string"},
    "account_id": _nullable({"type": "string"}),
    "first_seen": _nullable(_TEXT),
    "last_seen": _nullable(_TEXT),
    "count": {"type": "integer", "minimum": 1},
    "evidence": {"type": "string"},
    "mend": _TEXT,
    "reference": {"type": "string"},
}
_DAY = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}
_SILENCED = _FINDING | {"reason": _TEXT, "until": _DAY}
_REPORT = {
    "version": {"const": 1},
    "generated_at": _TIME,
    "sources": {"type": "array", "items": _object(_SOURCE, open_ended=True)},
    "silenced": {"type": "array", "items": _object(_SILENCED, open_ended=True)},
    "findings": {"type": "array", "items": _object(_FINDING, open_ended=True)},
    "summary": _object(dict.fromkeys(_SEVERITIES, _COUNT), open_ended=False),
}

PUBLISHED: dict[str, dict[str, Any]] = {
    "session": _published("session", _object(_SESSION, open_ended=False)),
    "error": _published(
        "error", _object({"error": _object(_FAILURE, open_ended=True)}, open_ended=True)
    ),
    "list": _published("list", {"type": "array", "items": _object(_PROFILE, open_ended=True)}),
    "report": _published("report", _object(_REPORT, open_ended=True)),
    "status": _published("status", {"type": "array", "items": _object(_CACHED, open_ended=True)}),
}
"""By the option of `config schema`. Several sessions are an array of `session`."""
