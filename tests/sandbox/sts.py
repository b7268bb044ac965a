"""STS: signatures, codes, trust, durations and the one-hour rule, as the service holds them.

Source: AWS STS API Reference; error texts as the service sends them.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any

from tests.sandbox import saml
from tests.sandbox.oidc import check_token
from tests.sandbox.packed_policies import packed_size
from tests.sandbox.permissions import MANAGED
from tests.sandbox.query import credentials, members, number, pairs, refusal, reply
from tests.sandbox.server import Answer, Asked
from tests.sandbox.sigv4 import RefusedError, caller
from tests.sandbox.world import HOUR, Keys, Role, World, unique_id

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
SHORTEST = 900
ROLE_LONGEST = 12 * HOUR
USER_LONGEST = 36 * HOUR
ROLE_MAXIMUM = "MaxSessionDuration set for this role"
SESSION_NAME = r"[\w+=,.@-]{2,64}"


class Sts:
    """Answers STS actions."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._actions = {
            "GetSessionToken": self._get_session_token,
            "GetFederationToken": self._get_federation_token,
            "GetCallerIdentity": self._get_caller_identity,
            "GetAccessKeyInfo": self._get_access_key_info,
            "AssumeRole": self._assume_role,
            "AssumeRoleWithSAML": self._with_saml,
            "AssumeRoleWithWebIdentity": self._with_web_identity,
        }

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        with self._world.lock:
            try:
                action = self._actions.get(asked.action)
                if action is None:
                    raise RefusedError("InvalidAction", f"no action {asked.action}", 400)
                return reply(asked.action, NAMESPACE, action(asked))
            except RefusedError as error:
                return refusal(error, NAMESPACE)

    def _get_session_token(self, asked: Asked) -> dict[str, Any]:
        keys, form = self._user_keys(asked), asked.form
        seconds = _duration(form, 12 * HOUR, USER_LONGEST)
        mfa = self._checked_code(keys, form)
        issued = self._world.issue(keys.arn, seconds, kind="session", mfa=mfa)
        self._grant("GetSessionToken", issued, seconds=seconds, mfa=mfa)
        return {"Credentials": credentials(issued)}

    def _get_federation_token(self, asked: Asked) -> dict[str, Any]:
        keys, form = self._user_keys(asked), asked.form
        name = _matching(form, "Name", r"[\w+=,.@-]{2,32}")
        seconds = _duration(form, 12 * HOUR, USER_LONGEST)
        policies = _policies(form)
        account = _account(keys.arn)
        arn = f"arn:{_partition(keys.arn)}:sts::{account}:federated-user/{name}"
        issued = self._world.issue(arn, seconds, kind="federated")
        self._grant("GetFederationToken", issued, seconds=seconds, **policies)
        return {
            "Credentials": credentials(issued),
            "FederatedUser": {"FederatedUserId": f"{account}:{name}", "Arn": arn},
        }

    def _get_caller_identity(self, asked: Asked) -> dict[str, Any]:
        arn = caller(self._world, asked, "sts").arn
        return {"Arn": arn, "UserId": _user_id(arn), "Account": _account(arn)}

    def _get_access_key_info(self, asked: Asked) -> dict[str, Any]:
        caller(self._world, asked, "sts")
        keys = self._world.keys.get(asked.form.get("AccessKeyId", ""))
        if keys is None:
            raise _invalid("AccessKeyId", asked.form.get("AccessKeyId", ""), "an access key's id")
        return {"Account": _account(keys.arn)}

    def _assume_role(self, asked: Asked) -> dict[str, Any]:
        keys, form = caller(self._world, asked, "sts"), asked.form
        if keys.kind == "federated":
            raise _denied("Cannot call AssumeRole with federated user credentials")
        if refused := keys.may_not("sts:AssumeRole"):
            raise _denied(refused)
        session = _matching(form, "RoleSessionName", SESSION_NAME)
        if "SourceIdentity" in form:
            _matching(form, "SourceIdentity", SESSION_NAME)
        asked_for = {
            "external_id": form.get("ExternalId"),
            "source_identity": form.get("SourceIdentity"),
            "signed_by": keys.kind,
            **_tags(form),
            **_policies(form),
        }
        mfa = self._checked_code(keys, form) or keys.mfa
        role = self._world.roles.get(form.get("RoleArn", ""))
        if (
            role is None
            or not self._trusts(role, keys)
            or (role.needs_mfa and not mfa)
            or (role.external_id and form.get("ExternalId") != role.external_id)
        ):
            raise _denied(
                f"User: {keys.arn} is not authorized to perform: sts:AssumeRole"
                f" on resource: {form.get('RoleArn')}"
            )
        seconds = _duration(form, HOUR, ROLE_LONGEST)
        if keys.kind != "user" and seconds > HOUR:
            raise RefusedError(
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit"
                " for roles assumed by role chaining",
                400,
            )
        _within(seconds, role)
        kind = "role" if keys.kind == "user" else "chained"
        return self._role_session(role, session, seconds, "AssumeRole", kind=kind, **asked_for)

    def _with_saml(self, asked: Asked) -> dict[str, Any]:
        form = asked.form
        seconds, policies = _duration(form, HOUR, ROLE_LONGEST), _policies(form)
        pair = form.get("RoleArn", ""), form.get("PrincipalArn", "")
        held = saml.accept(self._world, form.get("SAMLAssertion", ""), pair[1])
        role = self._world.roles.get(pair[0])
        if pair not in held.roles or role is None or pair[1] not in role.trusts:
            raise _denied("Not authorized to perform sts:AssumeRoleWithSAML")
        _within(seconds, role)
        if held.session_ends is not None:
            seconds = min(seconds, int(held.session_ends - self._world.now()))
        if seconds <= 0:
            raise RefusedError("ExpiredTokenException", "SessionNotOnOrAfter has passed", 400)
        session = held.session_name
        return self._role_session(role, session, seconds, "AssumeRoleWithSAML", **policies) | {
            "Issuer": held.issuer,
            "Subject": held.subject,
            "SubjectType": "unspecified",
            "Audience": held.audience,
        }

    def _with_web_identity(self, asked: Asked) -> dict[str, Any]:
        form = asked.form
        seconds, policies = _duration(form, HOUR, ROLE_LONGEST), _policies(form)
        session = _matching(form, "RoleSessionName", SESSION_NAME)
        claims = check_token(self._world, form.get("WebIdentityToken", ""))
        role = self._world.roles.get(form.get("RoleArn", ""))
        if (
            role is None
            or claims["provider"] not in role.trusts
            or not fnmatchcase(str(claims.get("sub", "")), role.subject or "*")
        ):
            raise _denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
        _within(seconds, role)
        action = "AssumeRoleWithWebIdentity"
        return self._role_session(role, session, seconds, action, **policies) | {
            "SubjectFromWebIdentityToken": claims["sub"],
            "Provider": claims["provider"],
            "Audience": claims["aud"],
        }

    def _role_session(
        self, role: Role, session: str, seconds: int, action: str, kind: str = "role", **more: Any
    ) -> dict[str, Any]:
        name = role.arn.rpartition("/")[2]
        arn = f"arn:{_partition(role.arn)}:sts::{_account(role.arn)}:assumed-role/{name}/{session}"
        packed = packed_size(more["policy"], more["policy_arns"], more.get("tags", {}))
        issued = self._world.issue(
            arn, seconds, kind=kind, role=role.policies, session=_session_policies(more)
        )
        self._grant(action, issued, seconds=seconds, role=role.arn, session=session, **more)
        return {
            "Credentials": credentials(issued),
            "AssumedRoleUser": {"AssumedRoleId": _user_id(arn), "Arn": arn},
            **({} if packed is None else {"PackedPolicySize": packed}),
        }

    def _user_keys(self, asked: Asked) -> Keys:
        keys = caller(self._world, asked, "sts")
        if keys.kind != "user":
            raise _denied(f"Cannot call {asked.action} with session credentials")
        return keys

    def _trusts(self, role: Role, keys: Keys) -> bool:
        principal, account = keys.arn, _account(keys.arn)
        principals = {principal, f"arn:{_partition(principal)}:iam::{account}:root"}
        if ":assumed-role/" in principal:
            name = principal.split("/")[1]
            principals |= {
                arn
                for arn in self._world.roles
                if (_partition(arn), _account(arn)) == (_partition(principal), account)
                and arn.rpartition("/")[2] == name
            }
        return bool(principals & set(role.trusts))

    def _checked_code(self, keys: Keys, form: dict[str, str]) -> bool:
        """Whether the call brings a device's code; a wrong one ends it."""
        given = {"SerialNumber", "TokenCode"} & form.keys()
        if not given:
            return False
        failed = "MultiFactorAuthentication failed"
        if len(given) == 1:
            raise _denied(f"{failed}, must provide both MFA serial number and one time pass code.")
        code = _matching(form, "TokenCode", r"\d{6}")
        user = self._world.users.get(keys.arn)
        devices = user.mfa if user and keys.kind == "user" else []
        device = next((d for d in devices if d.serial == form["SerialNumber"]), None)
        if device is None:
            raise _denied(f"{failed}, unable to validate MFA code. Please verify your MFA serial.")
        if not device.accepts(code, self._world.now()):
            raise _denied(f"{failed} with invalid MFA one time pass code. ")
        return True

    def _grant(self, action: str, issued: Keys, **more: Any) -> None:
        self._world.granted.append({"action": action, "key_id": issued.key_id, **more})


def _duration(form: dict[str, str], default: int, longest: int) -> int:
    seconds = number(form, "DurationSeconds", default)
    if seconds < SHORTEST:
        raise _invalid("durationSeconds", seconds, f"value greater than or equal to {SHORTEST}")
    if seconds > longest:
        raise _invalid("durationSeconds", seconds, f"value less than or equal to {longest}")
    return seconds


def _within(seconds: int, role: Role) -> None:
    if seconds > role.longest:
        raise RefusedError(
            "ValidationError", f"The requested DurationSeconds exceeds the {ROLE_MAXIMUM}.", 400
        )


def _policies(form: dict[str, str]) -> dict[str, Any]:
    policy, arns = form.get("Policy"), list(pairs(form, "PolicyArns", "arn", "arn"))
    if policy is not None:
        if len(policy) > 2048 or not re.fullmatch(r"[\t\n\r\x20-\xff]+", policy):
            raise _invalid("policy", "…", "at most 2048 characters from U+0020 to U+00FF")
        try:
            statements = json.loads(policy)["Statement"]
        except (ValueError, KeyError, TypeError):
            statements = None
        if not isinstance(statements, list | dict):
            raise RefusedError("MalformedPolicyDocument", "Syntax errors in policy.", 400)
    if len(arns) > 10 or not all(":policy/" in arn for arn in arns):
        raise _invalid("policyArns", len(arns), "at most 10 ARNs of policies")
    return {"policy": policy, "policy_arns": arns}


def _session_policies(asked: dict[str, Any]) -> list[Any] | None:
    """The policies of a session, one beside the other; None where the call brings none."""
    found = [json.loads(asked["policy"])] if asked["policy"] else []
    found += [MANAGED.get(arn, {"Statement": []}) for arn in asked["policy_arns"]]
    return found or None


def _tags(form: dict[str, str]) -> dict[str, Any]:
    tags, transitive = pairs(form, "Tags", "Key", "Value"), members(form, "TransitiveTagKeys")
    if len(tags) > 50 or any(not 0 < len(k) <= 128 or len(v) > 256 for k, v in tags.items()):
        raise _invalid("tags", len(tags), "at most 50 tags of 128 and 256 characters")
    if not tags.keys() >= set(transitive):
        raise RefusedError("InvalidParameterValue", "A transitive tag key is not among Tags", 400)
    return {"tags": tags, "transitive": transitive}


def _matching(form: dict[str, str], name: str, pattern: str) -> str:
    value = form.get(name, "")
    if not re.fullmatch(pattern, value, re.ASCII):
        raise _invalid(name[0].lower() + name[1:], value, f"match {pattern}")
    return value


def _invalid(name: str, value: object, rule: str) -> RefusedError:
    return RefusedError(
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint:"
        f" Member must have {rule}",
        400,
    )


def _denied(message: str) -> RefusedError:
    return RefusedError("AccessDenied", message)


def _account(arn: str) -> str:
    return arn.split(":")[4]


def _partition(arn: str) -> str:
    return arn.split(":")[1]


def _user_id(arn: str) -> str:
    """A user's id, a role's with its session's name, or a federated user's."""
    if ":assumed-role/" in arn:
        role, _, session = arn.rpartition("/")
        return f"{unique_id('AROA', role)}:{session}"
    if ":federated-user/" in arn:
        return f"{_account(arn)}:{arn.rpartition('/')[2]}"
    return unique_id("AIDA", arn)
