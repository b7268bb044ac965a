"""The role that a new sign-in leads to, where nobody has named one."""

from __future__ import annotations

from collections.abc import Callable

from broker import sign_in
from broker.broker import Broker
from broker.errors import ConfigError, RoleRefused, UsageError


def only_role(
    broker: Broker, provider: str, account: str, *, without: Callable[[], object]
) -> str | None:
    """The only role that the provider reaches in the account; None where it needs no role.

    Args:
        broker: Of the config as it is.
        provider: The new provider's name.
        account: 12 digits.
        without: Raises ConfigError where a profile of this provider must have a role.

    Raises:
        UsageError: There are several and nobody to choose, or the provider does not tell.
        RoleRefused: There is none.
    """
    try:
        accounts = sign_in.discover(broker, provider)
    except UsageError as error:
        try:
            without()
        except ConfigError:
            raise UsageError("which role?", hint="name it: `--role ROLE`") from error
        return None
    roles = [
        role
        for candidate in accounts
        if candidate.account_id == account
        for role in candidate.roles
    ]
    if not roles:
        raise RoleRefused(
            f"{provider} reaches no role in account {account}",
            hint=f"have one assigned; `awslogin discover {provider}` shows what there is",
        )
    if len(roles) > 1 and not broker.ui.interactive:
        raise UsageError(
            f"{provider} reaches several roles in account {account}: {', '.join(roles)}",
            hint="name one: `--role ROLE`",
        )
    return roles[broker.ui.choose(f"Which role in {account}?", roles)]
