"""IAM, as far as access keys go. Source: IAM API Reference."""

from __future__ import annotations

import base64
from typing import Any

from tests.sandbox.query import iso, refusal, reply
from tests.sandbox.server import Answer, Asked
from tests.sandbox.sigv4 import RefusedError, caller
from tests.sandbox.world import Keys, User, World

NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
MOST_KEYS = 2


class Iam:
    """Answers IAM actions for the caller's own user, and for roles that manage keys."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._asked_for_report = 0
        self._reports = {
            "GenerateCredentialReport": self._generate_report,
            "GetCredentialReport": self._get_report,
        }
        self._actions = {
            "CreateAccessKey": self._create,
            "ListAccessKeys": self._list,
            "UpdateAccessKey": self._update,
            "DeleteAccessKey": self._delete,
            "GetAccessKeyLastUsed": self._last_used,
            "GetUser": self._user,
            "ListMFADevices": self._devices,
        }

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        with self._world.lock:
            try:
                keys = caller(self._world, asked, "iam")
                if keys.kind == "federated" or (keys.kind == "session" and not keys.mfa):
                    raise RefusedError(
                        "InvalidClientTokenId",
                        "The security token included in the request is invalid",
                    )
                if refused := keys.may_not(f"iam:{asked.action}"):
                    raise RefusedError("AccessDenied", refused)
                if asked.action in self._reports:
                    if asked.action in self._world.denied_actions:
                        raise RefusedError(
                            "AccessDenied",
                            f"User: {keys.arn} is not authorized to perform: iam:{asked.action}",
                        )
                    return reply(asked.action, NAMESPACE, self._reports[asked.action]())
                user = self._world.users.get(keys.arn) or self._managed(keys, asked.form)
                action = self._actions.get(asked.action)
                if action is None:
                    raise RefusedError("InvalidAction", f"no action {asked.action}", 400)
                named = asked.form.get("UserName", user.name if user else "")
                denied = asked.action in self._world.denied_actions
                if user is None or named != user.name or denied:
                    raise RefusedError(
                        "AccessDenied",
                        f"User: {keys.arn} is not authorized to perform: iam:{asked.action}",
                    )
                return reply(asked.action, NAMESPACE, action(user, asked.form))
            except RefusedError as error:
                return refusal(error, NAMESPACE)

    def _generate_report(self) -> dict[str, Any]:
        """The report is there at the second asking."""
        self._asked_for_report += 1
        return {"State": "COMPLETE" if self._asked_for_report > 1 else "STARTED"}

    def _get_report(self) -> dict[str, Any]:
        if self._asked_for_report < 2:
            raise RefusedError("ReportNotPresent", "No report is present.", 410)
        content = base64.b64encode(self._world.credential_report.encode()).decode()
        return {
            "Content": content,
            "ReportFormat": "text/csv",
            "GeneratedTime": iso(self._world.now()),
        }

    def _managed(self, keys: Keys, form: dict[str, str]) -> User | None:
        """The user that a role which manages keys asks about, by name or by key."""
        account, _, role = keys.arn.partition(":assumed-role/")
        if role.partition("/")[0] not in self._world.key_managers:
            return None
        for user in self._world.users.values():
            is_meant = user.name == form.get("UserName") or form.get("AccessKeyId") in user.keys
            if is_meant and user.arn.split(":")[4] == account.split(":")[4]:
                return user
        return None

    def _create(self, user: User, form: dict[str, str]) -> dict[str, Any]:
        if len(user.keys) >= MOST_KEYS:
            raise RefusedError("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", 409)
        made = self._world.add_keys(user)
        return {"AccessKey": _described(user, made) | {"SecretAccessKey": made.secret}}

    def _list(self, user: User, form: dict[str, str]) -> dict[str, Any]:
        described = [_described(user, self._world.keys[key]) for key in user.keys]
        return {"AccessKeyMetadata": described, "IsTruncated": "false"}

    def _update(self, user: User, form: dict[str, str]) -> dict[str, Any]:
        if form.get("Status") not in {"Active", "Inactive"}:
            raise RefusedError("ValidationError", "Status must be Active or Inactive", 400)
        self._own(user, form).active = form["Status"] == "Active"
        return {}

    def _delete(self, user: User, form: dict[str, str]) -> dict[str, Any]:
        keys = self._own(user, form)
        user.keys.remove(keys.key_id)
        del self._world.keys[keys.key_id]
        return {}

    def _last_used(self, user: User, form: dict[str, str]) -> dict[str, Any]:
        noted = self._world.now() - self._world.uses_noted_after
        is_at_once = not self._world.uses_noted_after
        uses = [use for use in self._own(user, form).uses if is_at_once or use[0] <= noted]
        moment, service, region = max(uses) if uses else (None, "N/A", "N/A")
        seen = {"LastUsedDate": iso(moment)} if moment else {}
        return {
            "UserName": user.name,
            "AccessKeyLastUsed": seen | {"ServiceName": service, "Region": region},
        }

    def _user(self, user: User, form: dict[str, str]) -> dict[str, Any]:
        described = {"UserName": user.name, "Arn": user.arn, "UserId": user.id, "Path": "/"}
        return {"User": described | {"CreateDate": iso(user.created)}}

    def _devices(self, user: User, form: dict[str, str]) -> dict[str, Any]:
        devices = [
            {
                "UserName": user.name,
                "SerialNumber": device.serial,
                "EnableDate": iso(user.created),
            }
            for device in user.mfa
        ]
        return {"MFADevices": devices, "IsTruncated": "false"}

    def _own(self, user: User, form: dict[str, str]) -> Keys:
        key = form.get("AccessKeyId", "")
        if key not in user.keys:
            raise RefusedError(
                "NoSuchEntity", f"The Access Key with id {key} cannot be found.", 404
            )
        return self._world.keys[key]


def _described(user: User, keys: Keys) -> dict[str, str]:
    return {
        "UserName": user.name,
        "AccessKeyId": keys.key_id,
        "Status": "Active" if keys.active else "Inactive",
        "CreateDate": iso(keys.created),
    }
