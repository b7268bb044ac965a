"""`aws-sso-cli`: its `config.yaml` (SSOConfig, accounts, roles, Via), and the roles it has seen.

Source: aws-sso-cli's documentation "Configuration", its `internal/config` (where the file is) and
`internal/sso` (names, defaults, `cache.json`), version 2.3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from broker.arn import partition_of
from broker.importing import go_template, values, yaml_text
from broker.importing.found import Found
from broker.importing.reading import Here, wrong
from broker.importing.yaml_text import mapping, plain
from broker.paths import expanded

FORMAT = "{{ .AccountIdPad }}:{{ .RoleName }}"
_ROLE_KEYS = {"Profile", "DefaultRegion", "Tags", "Via", "SourceIdentity", "ExternalId", "ARN"}
_FLOWS = {"device_code": "device", "pkce": "pkce"}
_VIA = re.compile(r"(?:arn:[\w-]+:iam::)?(\d+):(?:role/)?([^/:]+)")


def look(here: Here) -> Found:
    """Every sign-in, and every role that the file or the cache names."""
    path = _config(here)
    found = Found()
    text = found.text_of(path)
    if text is None:
        return found
    data = mapping(yaml_text.parse(text, path))
    seen = _cache(path.with_name("cache.json"), found)
    for name, instance in mapping(data.get("SSOConfig")).items():
        _Instance(data, name, mapping(instance), mapping(seen.get(name)), found).translate()
    return found


def _config(here: Here) -> Path:
    old = expanded("~/.aws-sso")
    base = here.environ.get("XDG_CONFIG_HOME") or "~/.config"
    usual = old if old.is_dir() else expanded(base) / "aws-sso"
    return here.path("AWS_SSO_CONFIG", str(usual / "config.yaml"))


def _cache(path: Path, found: Found) -> dict[str, Any]:
    """Instance → its accounts, as the tool saw them last."""
    text = found.text_of(path)
    if text is None:
        return {}
    try:
        instances = mapping(mapping(json.loads(text)).get("SSO"))
    except ValueError:
        raise wrong(path, None, "is broken JSON", "`aws-sso cache` writes it anew") from None
    return {
        name: mapping(mapping(mapping(instance).get("Roles")).get("Accounts"))
        for name, instance in instances.items()
    }


class _Instance:
    """One Identity Center of the file."""

    def __init__(
        self, data: dict[str, Any], name: str, given: dict[str, Any], seen: Any, found: Found
    ) -> None:
        self._data, self._name, self._given, self._found = data, name, given, found
        accounts = mapping(given.get("Accounts"))
        self._accounts = {_padded(number): mapping(account) for number, account in accounts.items()}
        self._seen: dict[str, Any] = {_padded(number): mapping(a) for number, a in seen.items()}

    def translate(self) -> None:
        url, region = plain(self._given.get("StartUrl")), plain(self._given.get("SSORegion"))
        if not (url and region):
            self._found.leave_out(self._name, "StartUrl", "without `StartUrl` and `SSORegion`")
            return
        flow = _FLOWS.get(plain(self._data.get("AuthWorkflow")) or "")
        self._provider = self._found.provider(
            self._name,
            {
                "type": "identity-center",
                "start_url": values.start_url(url),
                "region": region,
                "flow": flow,
            },
            own=True,
        )
        self._partition = partition_of(region)
        roles = list(self._roles())
        names = {
            (account, role): self._profile_name(account, role, of) for account, role, of in roles
        }
        for account, role, of in roles:
            self._add(account, role, of, names)
        if not roles:
            self._found.hints.append(f"awslogin discover {self._provider} --write")

    def _roles(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Account, role, and what the file says of it; those of the cache, then roles of `Via`."""
        done: set[tuple[str, str]] = set()
        through: list[tuple[str, str]] = []
        for number, account in self._accounts.items():
            for role, of in mapping(account.get("Roles")).items():
                done.add((number, role))
                via = _VIA.fullmatch(plain(mapping(of).get("Via")) or "")
                if via:
                    through.append((_padded(via.group(1)), via.group(2)))
                yield number, role, mapping(of)
        for number, account in self._seen.items():
            through += [(number, role) for role in mapping(account.get("Roles"))]
        for number, role in through:
            if (number, role) not in done:
                done.add((number, role))
                seen = mapping(mapping(self._seen.get(number)).get("Roles"))
                yield number, role, {"Profile": mapping(seen.get(role)).get("Profile")}

    def _profile_name(self, number: str, role: str, of: dict[str, Any]) -> str:
        own = plain(of.get("Profile"))
        if own:
            return own
        alias = plain(mapping(self._seen.get(number)).get("Alias")) or ""
        template = plain(self._data.get("ProfileFormat")) or FORMAT
        fields = {
            ".AccountId": number.lstrip("0"),
            ".AccountIdPad": number,
            ".AccountName": plain(self._accounts.get(number, {}).get("Name")) or "",
            ".AccountAlias": alias or number,
            ".RoleName": role,
            ".SSO": self._name,
            ".SSORegion": plain(self._given.get("SSORegion")) or "",
            ".DefaultRegion": self._region(number, of) or "",
        }
        return go_template.filled(template, fields) or f"{number}:{role}"

    def _region(self, number: str, of: dict[str, Any]) -> str | None:
        places = (of, self._accounts.get(number, {}), self._given, self._data)
        return next((r for place in places if (r := plain(place.get("DefaultRegion")))), None)

    def _add(
        self, number: str, role: str, of: dict[str, Any], names: dict[tuple[str, str], str]
    ) -> None:
        name = names[number, role]
        common = {
            "region": self._region(number, of),
            "tags": {**_tags(self._accounts.get(number, {})), **_tags(of)},
        }
        given = plain(of.get("Via"))
        via = _VIA.fullmatch(given or "")
        if via:
            arn = f"arn:{self._partition}:iam::{number}:role/{role}"
            more = {
                "external_id": plain(of.get("ExternalId")),
                "source_identity": plain(of.get("SourceIdentity")),
            }
            source = names[_padded(via.group(1)), via.group(2)]
            self._found.add(name, {"role_arn": arn, **more, **common}, source=source)
        elif given:
            self._found.leave_out(name, "Via", "not the ARN of a role")
            return
        else:
            self._found.add(
                name, {"account": number, "role": role, **common}, provider=self._provider
            )
            if of.get("SourceIdentity"):
                self._found.leave_out(name, "SourceIdentity", "goes with `Via` alone")
        for key in of.keys() - _ROLE_KEYS:
            self._found.leave_out(name, key, "a setting that awslogin does not have")


def _padded(number: str) -> str:
    """An account's id with its leading zeroes; what is none stays, and the YAML's check tells."""
    text = str(int(float(number))) if re.fullmatch(r"\d\.\d+e\+\d+", number) else number
    return text.lstrip("0").zfill(12) if text.isdigit() else text


def _tags(of: dict[str, Any]) -> dict[str, str]:
    given = of.get("Tags")
    parts = given if isinstance(given, list) else [given]
    return {k: v for part in parts for k, v in mapping(part).items() if plain(k) and plain(v)}
