"""STS: signatures, codes, trust, durations and the one-hour rule, as the service holds them.

Source: AWS STS API Reference; error texts as the service sends them.
"""

from __future__ import annotations

import re
from typing import Any

from tests.sandbox import saml
from tests.sandbox.oidc import check_token
from tests.sandbox.query import credentials, members, pairs, refusal, reply
from tests.sandbox.server import Answer, Asked
from tests.sandbox.sigv4 import RefusedError, caller
from tests.sandbox.world import HOUR, Keys, Role, World

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
SHORTEST = 900


class Sts:
    """Answers STS actions."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._actions = {
            "GetSessionToken": self._get_session_token,
            "GetFederationToken": self._get_federation_token,
            "GetCallerIdentity": self._get_caller_identity,
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
        keys = caller(self._world, asked, "sts")
        if keys.kind != "user":
            raise _denied("Cannot call GetSessionToken with session credentials")
        form = asked.form
        seconds = _duration(form, 12 * HOUR, 36 * HOUR)
        mfa = "TokenCode" in form or "SerialNumber" in form
        if mfa:
            self._check_code(keys, form)
        issued = self._world.issue(keys.arn, seconds, kind="session", mfa=mfa)
        self._grant("GetSessionToken", issued, seconds=seconds, mfa=mfa)
        return {"Credentials": credentials(issued)}

    def _get_federation_token(self, asked: Asked) -> dict[str, Any]:
        keys = caller(self._world, asked, "sts")
        if keys.kind != "user":
            raise _denied("Cannot call GetFederationToken with session credentials")
        form = asked.form
        name = _matching(form.get("Name", ""), r"[\w+=,.@-]{2,32}", "name")
        seconds = _duration(form, 12 * HOUR, 36 * HOUR)
        account = keys.arn.split(":")[4]
        arn = f"{':'.join(keys.arn.split(':')[:2])}:sts::{account}:federated-user/{name}"
        issued = self._world.issue(arn, seconds, kind="federated")
        policy = form.get("Policy")
        self._grant("GetFederationToken", issued, seconds=seconds, policy=policy)
        return {
            "Credentials": credentials(issued),
            "FederatedUser": {"FederatedUserId": f"{account}:{name}", "Arn": arn},
        }

    def _get_caller_identity(self, asked: Asked) -> dict[str, Any]:
        keys = caller(self._world, asked, "sts")
        return {"Arn": keys.arn, "UserId": f"AIDA{keys.key_id[4:]}", "Account": _account(keys.arn)}

    def _assume_role(self, asked: Asked) -> dict[str, Any]:
        keys = caller(self._world, asked, "sts")
        form = asked.form
        role = self._world.roles.get(form.get("RoleArn", ""))
        session = _matching(form.get("RoleSessionName", ""), r"[\w+=,.@-]{2,64}", "roleSessionName")
        mfa = keys.mfa
        if "TokenCode" in form or "SerialNumber" in form:
            self._check_code(keys, form)
            mfa = True
        trusted = role is not None and self._trusts(role, keys)
        if role is None or not trusted or (role.needs_mfa and not mfa):
            raise _denied(
                f"User: {keys.arn} is not authorized to perform: sts:AssumeRole"
                f" on resource: {form.get('RoleArn')}"
            )
        if role.external_id and form.get("ExternalId") != role.external_id:
            raise _denied(
                f"User: {keys.arn} is not authorized to perform: sts:AssumeRole"
                f" on resource: {role.arn}"
            )
        seconds = _duration(form, HOUR, role.longest, "MaxSessionDuration set for this role")
        if keys.kind != "user" and seconds > HOUR:
            raise RefusedError(
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit"
                " for roles assumed by role chaining",
                400,
            )
        return self._role_session(
            role,
            session,
            seconds,
            "AssumeRole",
            kind="role" if keys.kind in {"user", "session"} else "chained",
            external_id=form.get("ExternalId"),
            tags=pairs(form, "Tags", "Key", "Value"),
            transitive=members(form, "TransitiveTagKeys"),
            source_identity=form.get("SourceIdentity"),
            policy=_bounded(form.get("Policy")),
            policy_arns=list(pairs(form, "PolicyArns", "arn", "arn")),
            signed_by=keys.kind,
        )

    def _with_saml(self, asked: Asked) -> dict[str, Any]:
        form = asked.form
        held = saml.accept(self._world, form.get("SAMLAssertion", ""), form.get("PrincipalArn", ""))
        role = self._world.roles.get(form.get("RoleArn", ""))
        if (form.get("RoleArn"), form.get("PrincipalArn")) not in held.roles:
            raise _denied("Not authorized to perform sts:AssumeRoleWithSAML")
        if role is None or form["PrincipalArn"] not in role.trusts:
            raise _denied("Not authorized to perform sts:AssumeRoleWithSAML")
        seconds = _duration(form, HOUR, role.longest, "MaxSessionDuration set for this role")
        if held.session_ends is not None:
            seconds = min(seconds, int(held.session_ends - self._world.now()))
        return self._role_session(
            role, held.session_name, seconds, "AssumeRoleWithSAML", kind="role"
        ) | {"Issuer": held.issuer, "Subject": held.subject}

    def _with_web_identity(self, asked: Asked) -> dict[str, Any]:
        form = asked.form
        role = self._world.roles.get(form.get("RoleArn", ""))
        claims = check_token(self._world, form.get("WebIdentityToken", ""))
        session = _matching(form.get("RoleSessionName", ""), r"[\w+=,.@-]{2,64}", "roleSessionName")
        if role is None or claims["provider"] not in role.trusts:
            raise _denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
        wanted = (role.subject or "*").replace("*", "")
        if not str(claims.get("sub", "")).startswith(wanted):
            raise _denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
        seconds = _duration(form, HOUR, role.longest, "MaxSessionDuration set for this role")
        return self._role_session(
            role, session, seconds, "AssumeRoleWithWebIdentity", kind="role"
        ) | {"SubjectFromWebIdentityToken": claims["sub"]}

    def _role_session(
        self, role: Role, session: str, seconds: int, action: str, *, kind: str, **more: Any
    ) -> dict[str, Any]:
        account, name = _account(role.arn), role.arn.rpartition("/")[2]
        partition = role.arn.split(":")[1]
        arn = f"arn:{partition}:sts::{account}:assumed-role/{name}/{session}"
        issued = self._world.issue(arn, seconds, kind=kind)
        self._grant(action, issued, seconds=seconds, role=role.arn, session=session, **more)
        return {
            "Credentials": credentials(issued),
            "AssumedRoleUser": {"AssumedRoleId": f"AROA{issued.key_id[4:]}:{session}", "Arn": arn},
        }

    def _trusts(self, role: Role, keys: Keys) -> bool:
        principal = keys.arn
        if ":assumed-role/" in principal:
            account, name = _account(principal), principal.split("/")[1]
            candidates = {
                arn
                for arn in self._world.roles
                if _account(arn) == account and arn.rpartition("/")[2] == name
            }
        else:
            candidates = {principal}
        candidates.add(f"arn:{principal.split(':')[1]}:iam::{_account(principal)}:root")
        return bool(candidates & set(role.trusts))

    def _check_code(self, keys: Keys, form: dict[str, str]) -> None:
        user = self._world.users.get(keys.arn)
        serial, code = form.get("SerialNumber"), form.get("TokenCode")
        device = next((d for d in user.mfa if d.serial == serial), None) if user else None
        if keys.kind != "user" or device is None or not device.accepts(code, self._world.now()):
            raise _denied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")

    def _grant(self, action: str, issued: Keys, **more: Any) -> None:
        self._world.granted.append({"action": action, "key_id": issued.key_id, **more})


def _duration(
    form: dict[str, str], default: int, longest: int, why: str = "maximum for this action"
) -> int:
    seconds = int(form.get("DurationSeconds") or default)
    if seconds < SHORTEST:
        raise RefusedError(
            "ValidationError",
            f"1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to"
            " satisfy constraint: Member must have value greater than or equal to 900",
            400,
        )
    if seconds > longest:
        raise RefusedError(
            "ValidationError", f"The requested DurationSeconds exceeds the {why}.", 400
        )
    return seconds


def _bounded(policy: str | None) -> str | None:
    if policy and len(policy) > 2048:
        raise RefusedError("PackedPolicyTooLarge", "Packed policy consumes 101% of allotted", 400)
    return policy


def _matching(value: str, pattern: str, name: str) -> str:
    if not re.fullmatch(pattern, value, re.ASCII):
        raise RefusedError(
            "ValidationError", f"Value '{value}' at '{name}' failed to satisfy constraint", 400
        )
    return value


def _account(arn: str) -> str:
    return arn.split(":")[4]


def _denied(message: str) -> RefusedError:
    return RefusedError("AccessDenied", message)
