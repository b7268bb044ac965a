"""A user's access keys at IAM: the one engine of a key's life, for `rotate` and for `migrate`.

A key is created, verified, deactivated, activated again, deleted. Each call may be repeated, but
CreateAccessKey, which is sent once. Source: IAM API Reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from broker.credentials import Credentials
from broker.errors import AwsLoginError, LoginRefused, NetworkError, RoleRefused, UsageError
from broker.ports.aws import Aws
from broker.ports.clock import Clock
from broker.ports.iam_pages import pages
from broker.ports.ui import Ui
from broker.secret import Secret

MOST_KEYS = 2
"""That AWS gives to a user."""
KNOWN_WITHIN_SECONDS = 90
"""AWS takes some time to make a new key known everywhere."""
PAUSES_SECONDS = (1, 1, 2, 3, 5)
"""Between tries; the last one repeats."""
SUCCESSES = 3
"""In a row, until a new key counts as known: one replica may know it, and the next one not yet."""
SUCCESS_PAUSE_SECONDS = 2


@dataclass(frozen=True)
class ListedKey:
    """One access key as ListAccessKeys shows it."""

    active: bool
    created: datetime


@dataclass(frozen=True)
class KeyUse:
    """The last use of a key that IAM has noted.

    Attributes:
        at: UTC.
        service: `s3`, as IAM names it.
        region: Where.
    """

    at: datetime
    service: str
    region: str


class IamKeys:
    """The access keys of one user.

    Args:
        aws: The way to IAM.
        signer: Who asks: the user, or a role that may.
        region: Whose IAM it is.
        user: The user's name; None where the signer is the user.
    """

    def __init__(self, aws: Aws, signer: Credentials, region: str, user: str | None = None) -> None:
        self._aws = aws
        self._signer = signer
        self._region = region
        self._whose = {"UserName": user} if user else {}

    def listed(self) -> dict[str, ListedKey]:
        """ListAccessKeys, by id."""
        with self._asking("ListAccessKeys"):
            return {
                key["AccessKeyId"]: ListedKey(key.get("Status") != "Inactive", key["CreateDate"])
                for page in pages(self._client().list_access_keys, **self._whose)
                for key in page["AccessKeyMetadata"]
            }

    def create(self) -> tuple[Credentials, datetime | None]:
        """CreateAccessKey, never repeated: the new pair, and when it was made.

        Raises:
            UsageError: The user has two keys, though ListAccessKeys did not show both.
        """
        client = self._client(once=True)
        with self._asking("CreateAccessKey"):
            try:
                made = client.create_access_key(**self._whose)["AccessKey"]
            except client.exceptions.LimitExceededException as error:
                raise UsageError(
                    "the user has two access keys already, so AWS makes no third",
                    hint="wait a minute, as AWS may not list a new one at once, then run it again",
                ) from error
            pair = Credentials(made["AccessKeyId"], Secret(made["SecretAccessKey"]))
            return pair, made.get("CreateDate")

    def last_use(self, key_id: str) -> KeyUse | None:
        """GetAccessKeyLastUsed; None where the key was never used.

        Raises:
            RoleRefused: The signer may not ask.
        """
        with self._asking("GetAccessKeyLastUsed"):
            used = self._client().get_access_key_last_used(AccessKeyId=key_id)["AccessKeyLastUsed"]
        if "LastUsedDate" not in used:
            return None
        return KeyUse(used["LastUsedDate"], used.get("ServiceName", ""), used.get("Region", ""))

    def was_used(self, key_id: str) -> bool:
        """Whether IAM has noted a use; False too where the signer may not ask."""
        try:
            return self.last_use(key_id) is not None
        except NetworkError:
            raise
        except AwsLoginError:
            return False

    def delete(self, key_id: str) -> None:
        """DeleteAccessKey; one that is gone already is no error."""
        client = self._client()
        with self._asking("DeleteAccessKey"):
            try:
                client.delete_access_key(AccessKeyId=key_id, **self._whose)
            except client.exceptions.NoSuchEntityException:
                return

    def deactivate(self, key_id: str) -> bool:
        """UpdateAccessKey to Inactive; False where it is gone already."""
        return self._update(key_id, "Inactive")

    def activate(self, key_id: str) -> bool:
        """UpdateAccessKey to Active; False where it is gone."""
        return self._update(key_id, "Active")

    def _update(self, key_id: str, status: str) -> bool:
        client = self._client()
        with self._asking("UpdateAccessKey"):
            try:
                client.update_access_key(AccessKeyId=key_id, Status=status, **self._whose)
            except client.exceptions.NoSuchEntityException:
                return False
        return True

    def _client(self, *, once: bool = False) -> Any:
        return self._aws.client("iam", self._region, self._signer, once=once)

    @contextmanager
    def _asking(self, action: str) -> Iterator[None]:
        try:
            with self._aws.errors(action):
                yield
        except RoleRefused as error:
            error.hint = (
                f"the role's policy must allow iam:{action} on the user {self._whose['UserName']}"
                if self._whose
                else f"the user's policy must allow iam:{action} on its own keys"
                " (and the profile needs `mfa_serial` where it demands MFA)"
            )
            raise


def wait_until_known(
    aws: Aws, clock: Clock, ui: Ui, keys: Credentials, region: str, *, then: str
) -> None:
    """Wait until AWS knows a new key: several successes in a row, over some seconds.

    Args:
        aws: The way to STS.
        clock: Time and pauses.
        ui: Told why it takes long.
        keys: The new pair.
        region: Whose STS is asked.
        then: The command that goes on later, for messages.

    Raises:
        NetworkError: AWS does not know it in time.
    """
    until = clock.monotonic() + KNOWN_WITHIN_SECONDS
    pauses = iter(PAUSES_SECONDS)
    pause = PAUSES_SECONDS[-1]
    in_a_row = 0
    while in_a_row < SUCCESSES:
        if in_a_row:
            clock.sleep(SUCCESS_PAUSE_SECONDS)
        try:
            aws.caller_identity(keys, region)
            in_a_row += 1
        except LoginRefused as error:
            if clock.monotonic() > until or "InvalidClientTokenId" not in error.message:
                raise NetworkError(
                    f"the new key {keys.access_key_id} does not work yet: {error.message}",
                    hint=f"the old one does; `{then}` goes on later",
                ) from error
            in_a_row = 0
            ui.progress(f"waiting until AWS knows {keys.access_key_id}")
            pause = next(pauses, pause)
            clock.sleep(pause)
        except AwsLoginError as error:
            error.hint = f"the old key works; `{then}` goes on"
            raise
