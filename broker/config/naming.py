"""Names for discovered profiles: a template, filled in, and told apart where that is not enough."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import count

from broker.errors import UsageError
from broker.provider import Account

TEMPLATE = "{account_name}-{role}"
FIELDS = ("account_name", "account_id", "role")

Target = tuple[str, str]
"""What a profile reaches: account id and role. It outlives the account's name."""


def check_template(template: str) -> str:
    """The template itself.

    Raises:
        UsageError: It names no field, or one that there is not.
    """
    fields = re.findall(r"\{([^{}]*)\}", template)
    rest = re.sub(r"\{\w+\}", "", template)
    if not fields or set(fields) - {*FIELDS} or not re.fullmatch(r"[A-Za-z0-9._@+-]*", rest):
        raise UsageError(
            f"--template {template!r} is no template of profile names",
            hint="it takes {account_name}, {account_id}, {role}, letters, digits and ._@+-",
        )
    return template


def names(
    accounts: Mapping[Target, Account], template: str, taken: Collection[str]
) -> dict[Target, str]:
    """A name for each target; one that is taken, or not alone, gets the account's id."""
    plain = {target: name(target, account, template) for target, account in accounts.items()}
    alike = Counter(plain.values())
    used = set(taken)
    found: dict[Target, str] = {}
    for target in sorted(plain):
        choices = _choices(target, plain[target], alone=alike[plain[target]] == 1)
        found[target] = next(choice for choice in choices if choice not in used)
        used.add(found[target])
    return found


def name(target: Target, account: Account, template: str) -> str:
    """The template, filled in; the account's id where nothing of it is left."""
    account_id, role = target
    values = {
        "account_name": word(account.account_name or "") or account_id,
        "account_id": account_id,
        "role": word(role),
    }
    filled = re.sub(r"\{(\w+)\}", lambda field: values[field.group(1)], template)
    return re.sub(r"^[^A-Za-z0-9]+", "", filled) or account_id


def _choices(target: Target, plain: str, *, alone: bool) -> Iterator[str]:
    account_id, role = target
    if alone:
        yield plain
    yield f"{plain}-{account_id}"
    yield f"{plain}-{account_id}-{word(role)}"
    yield from (f"{plain}-{account_id}-{number}" for number in count(2))


def word(text: str) -> str:
    """As much of a text as a profile's name can hold."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._@+-]+", "-", letters).strip("-")
