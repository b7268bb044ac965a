"""What CloudTrail's events are searched for: one SQL for DuckDB and Athena.

A statement reads `events`, whose columns `reading` describes, once: Athena bills each time that a
table is read. It gives rule, who, account_id, first_seen, last_seen, count and evidence.
`{addresses}`, `{failures}` and `{regions}` are numbers and a list of our own, never a value of an
event.
"""

from __future__ import annotations

from collections.abc import Iterable

from broker.report.finding import Rule

_WHO = "COALESCE(arn, user_name, principal_id)"
"""A sign-in by SAML or web identity has no ARN but a name, another account's principal an id."""
_FROM_OUTSIDE = (
    "invoked_by IS NULL AND COALESCE(address, '') NOT LIKE '%.amazonaws.com%'"
    " AND COALESCE(address, '') <> 'AWS Internal'"
)
"""Not a call that an AWS service makes on somebody's behalf."""
_NO_JOBS = ("%oidc.eks.%", "cognito-identity.%", "accounts.google.com%", "graph.facebook.com%",
    "www.amazon.com%")  # fmt: skip
"""Principals of pods and of apps' users, who may move from one address to another."""
_USES = "min(event_time) AS first_seen, max(event_time) AS last_seen, count(*) AS times FROM events"
_SEEN = (
    "min(first_seen) AS first_seen, max(last_seen) AS last_seen,"
    " CAST(sum(times) AS BIGINT) AS count"
)

RULES = (
    Rule(
        "root-used", "error", "cloudtrail", "The root user was used",
        "Root can do everything and cannot be limited; it is for emergencies alone.",
        "sign in by a profile instead: awslogin list", "Sigma aws_root_account_usage",
        where="identity_type = 'Root' AND COALESCE(event_type, '') <> 'AwsServiceEvent'"
        f" AND COALESCE(login, '') <> 'Failure' AND {_FROM_OUTSIDE}",
    ),
    Rule(
        "console-login-without-mfa", "error", "cloudtrail", "A console sign-in without MFA",
        "A stolen password is enough.",
        "give {who} an MFA device, or take the password away",
        "Sigma aws_cloudtrail_console_login_success_without_mfa",
        where="event_name = 'ConsoleLogin' AND login = 'Success' AND lower(mfa_used) = 'no'"
        " AND saml_provider IS NULL AND identity_type IN ('IAMUser', 'Root')",
        evidence="address",
    ),
    Rule(
        "console-login-beside-sso", "warning", "cloudtrail",
        "A console sign-in of an IAM user beside single sign-on",
        "A password of AWS's own outlives the person's account at the identity provider.",
        "awslogin console {profile}", "Panther AWS.Console.LoginWithoutSAML",
        where="event_name = 'ConsoleLogin' AND login = 'Success' AND identity_type = 'IAMUser'"
        " AND saml_provider IS NULL",
        evidence="address",
    ),
    Rule(
        "long-term-key-used", "warning", "cloudtrail", "A long-term key is still used",
        "It has no end: whoever copies it has it until somebody notices.",
        "awslogin migrate {profile} --to PROVIDER", "Panther AWS.CloudTrail.UserAccessKeyAuth",
        where=f"access_key LIKE 'AKIA%' AND {_FROM_OUTSIDE}",
        evidence="access_key",
    ),
    Rule(
        "long-term-key-new-address", "warning", "cloudtrail",
        "A long-term key was used from a new address",
        "So does a thief.", "awslogin rotate {profile}",
        "Elastic credential_access_iam_long_term_access_key_first_seen_from_source_ip",
        sql=f"WITH uses AS (SELECT access_key, {_WHO} AS who, account_id, address, {_USES}"
        f" WHERE access_key LIKE 'AKIA%' AND {_FROM_OUTSIDE} GROUP BY 1, 2, 3, 4),"
        " known AS (SELECT *, min(first_seen) OVER (PARTITION BY access_key) AS first_use,"
        " min(first_seen) OVER (PARTITION BY access_key, address) AS first_there FROM uses)"
        f" SELECT who, account_id, {_SEEN}, min(address) AS evidence FROM known"
        " WHERE substr(first_there, 1, 10) > substr(first_use, 1, 10) GROUP BY who, account_id",
    ),
    Rule(
        "session-many-addresses", "warning", "cloudtrail",
        "One session was used from many addresses",
        "A session belongs to one machine; a copied one shows up elsewhere.",
        "awslogin logout {profile}, then revoke the role's sessions in IAM",
        "Elastic initial_access_iam_session_token_used_from_multiple_addresses",
        sql=f"WITH sessions AS (SELECT min({_WHO}) AS who, min(account_id) AS account_id,"
        f" count(DISTINCT address) AS places, {_USES}"
        f" WHERE access_key LIKE 'ASIA%' AND {_FROM_OUTSIDE}"
        " AND COALESCE(issuer_arn, '') NOT LIKE '%:role/aws-service-role/%'"
        " AND COALESCE(arn, '') NOT LIKE '%:assumed-role/AWSServiceRoleFor%' GROUP BY access_key)"
        f" SELECT who, account_id, {_SEEN}, CAST(max(places) AS VARCHAR) AS evidence"
        " FROM sessions WHERE places > {addresses} GROUP BY who, account_id",
    ),
    Rule(
        "password-spraying", "error", "cloudtrail", "Many failed console sign-ins from one address",
        "Somebody tries passwords.", "block {who}, and look at whose passwords were tried",
        "Panther AWS.CloudTrail.PasswordSpraying",
        sql="WITH failed AS (SELECT address, account_id, event_time,"
        " TRY_CAST(replace(substr(event_time, 1, 19), 'T', ' ') AS TIMESTAMP) AS moment"
        " FROM events WHERE event_name = 'ConsoleLogin' AND login = 'Failure'),"
        " rates AS (SELECT address, account_id, event_time, count(*) OVER (PARTITION BY address"
        " ORDER BY moment RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW) AS rate"
        " FROM failed WHERE moment IS NOT NULL)"
        " SELECT address AS who, account_id, min(event_time) AS first_seen,"
        " max(event_time) AS last_seen, count(*) AS count, CAST(max(rate) AS VARCHAR) AS evidence"
        " FROM rates GROUP BY address, account_id HAVING max(rate) > {failures}",
    ),
    Rule(
        "mfa-device-removed", "warning", "cloudtrail", "An MFA device was removed",
        "Often the step before a takeover.", "ask {who}, and register a device again",
        "Elastic impact_iam_deactivate_mfa_device",
        where="error_code IS NULL"
        " AND event_name IN ('DeactivateMFADevice', 'DeleteVirtualMFADevice')",
    ),
    Rule(
        "key-for-somebody-else", "error", "cloudtrail", "A key was made for another user",
        "A way back in that survives its maker.", "ask {who}, and delete the key",
        "Sigma aws_iam_backdoor_users_keys",
        where="error_code IS NULL AND event_name = 'CreateAccessKey'"
        " AND request_user <> COALESCE(user_name, '')",
        evidence="request_user",
    ),
    Rule(
        "password-set-for-user", "warning", "cloudtrail", "A console password was set for a user",
        "Passwords of AWS's own go around single sign-on.", "ask {who}, and delete the password",
        "Sigma aws_update_login_profile",
        where="error_code IS NULL AND event_name IN ('CreateLoginProfile', 'UpdateLoginProfile')"
        " AND COALESCE(request_user, 'root') <> COALESCE(user_name, '')",
        evidence="request_user",
    ),
    Rule(
        "identity-provider-changed", "error", "cloudtrail", "An identity provider was changed",
        "Whoever controls it signs in as anybody.", "ask {who}, and compare its metadata",
        "Sigma aws_sso_idp_change, aws_susp_saml_activity",
        where="error_code IS NULL AND event_name IN ('UpdateSAMLProvider', 'CreateSAMLProvider',"
        " 'CreateOpenIDConnectProvider', 'UpdateOpenIDConnectProviderThumbprint',"
        " 'AddClientIDToOpenIDConnectProvider', 'AssociateDirectory', 'DisassociateDirectory',"
        " 'EnableExternalIdPConfigurationForDirectory',"
        " 'DisableExternalIdPConfigurationForDirectory')",
    ),
    Rule(
        "key-quarantined", "error", "cloudtrail", "AWS has quarantined a key",
        "AWS has found it in public.", "awslogin rotate {profile}",
        "Panther AWS.IAM.AccessKeyCompromised",
        where="event_name IN ('PutUserPolicy', 'AttachUserPolicy')"
        " AND request_policy LIKE '%AWSCompromisedKeyQuarantine%'",
        who=f"COALESCE(request_user, {_WHO})",
    ),
    Rule(
        "ci-credentials-elsewhere", "error", "cloudtrail",
        "A CI job's credentials were used from elsewhere",
        "A job's session has one runner; a leaked one shows up at another address.",
        "revoke the role's sessions in IAM, and narrow what the job prints",
        "Elastic initial_access_github_actions_oidc_credentials_used_from_suspicious_network",
        sql="WITH uses AS (SELECT event_name = 'AssumeRoleWithWebIdentity' AS gives,"
        " CASE WHEN event_name = 'AssumeRoleWithWebIdentity' THEN given_key ELSE access_key END"
        f" AS key, address, min({_WHO}) AS who, min(account_id) AS account_id, {_USES}"
        f" WHERE {_FROM_OUTSIDE}"
        " AND CASE WHEN event_name = 'AssumeRoleWithWebIdentity'"
        " THEN error_code IS NULL AND given_key IS NOT NULL AND "
        + " AND ".join(f"COALESCE(principal_id, '') NOT LIKE '{pattern}'" for pattern in _NO_JOBS)
        + " ELSE access_key LIKE 'ASIA%' END GROUP BY 1, 2, 3),"
        " homes AS (SELECT *, min(CASE WHEN gives THEN address END) OVER (PARTITION BY key)"
        " AS home FROM uses)"
        f" SELECT who, account_id, {_SEEN}, min(address) AS evidence FROM homes"
        " WHERE NOT gives AND address <> home GROUP BY who, account_id",
    ),
    Rule(
        "no-source-identity", "warning", "cloudtrail", "A session without SourceIdentity",
        "The team asks for it, so that each act can be traced to a person.",
        "set `defaults.source_identity` in the team's YAML", "",
        where="error_code IS NULL"
        " AND event_name IN ('AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity')"
        f" AND request_source_identity IS NULL AND source_identity IS NULL AND {_FROM_OUTSIDE}"
        " AND COALESCE(identity_type, '') <> 'AWSService'",
        evidence="request_role",
    ),
    Rule(
        "role-by-user-key", "warning", "cloudtrail", "A role was taken with a user's key",
        "The team signs in by single sign-on; this goes around it.",
        "awslogin migrate {profile} --to PROVIDER", "",
        where="error_code IS NULL AND event_name = 'AssumeRole' AND access_key LIKE 'AKIA%'"
        f" AND {_FROM_OUTSIDE}",
        evidence="request_role",
    ),
    Rule(
        "region-not-used", "info", "cloudtrail", "Sign-ins in a region that the team does not use",
        "Old clients ask STS's global endpoint (us-east-1); strangers like quiet regions.",
        "awslogin explain {profile}", "",
        where="event_source = 'sts.amazonaws.com' AND event_name LIKE 'AssumeRole%'"
        f" AND COALESCE(identity_type, '') <> 'AWSService' AND {_FROM_OUTSIDE}"
        " AND region NOT IN ({regions})",
        who="region", evidence=_WHO,
    ),
)  # fmt: skip

DAYS = (
    "SELECT substr(event_time, 1, 10) AS day,"
    " CASE WHEN error_code IS NULL AND COALESCE(login, 'Success') = 'Success'"
    f" AND {_FROM_OUTSIDE} THEN CASE event_name WHEN 'AssumeRoleWithSAML' THEN 'SAML'"
    " WHEN 'AssumeRoleWithWebIdentity' THEN 'web identity' WHEN 'ConsoleLogin' THEN 'console'"
    " WHEN 'GetRoleCredentials' THEN 'Identity Center' WHEN 'AssumeRole' THEN 'role or keys'"
    " WHEN 'GetSessionToken' THEN 'role or keys' END END AS sign_ins,"
    f" CASE WHEN access_key LIKE 'AKIA%' AND {_FROM_OUTSIDE} THEN 'long-term key'"
    f" WHEN access_key LIKE 'ASIA%' AND {_FROM_OUTSIDE} THEN 'federated' END AS uses,"
    " count(*) AS count FROM events GROUP BY 1, 2, 3"
)
"""A day's events, of which so many are sign-ins of a kind, and calls with a kind of key."""


def statements(rules: Iterable[Rule]) -> list[str]:
    """The SQL that searches for these rules: one statement for all that ask for single events."""
    rules = list(rules)
    alone = [
        f"SELECT '{rule.id}' AS rule, found.* FROM ({rule.sql}) AS found"
        for rule in rules
        if rule.sql
    ]
    return [_together([rule for rule in rules if rule.where]), *alone]


def _together(rules: list[Rule]) -> str:
    ids = ", ".join(f"('{rule.id}')" for rule in rules)

    def by_rule(texts: Iterable[str]) -> str:
        whens = (f" WHEN '{rule.id}' THEN {text}" for rule, text in zip(rules, texts, strict=True))
        return f"CASE rule{''.join(whens)} END"

    who = by_rule(rule.who or _WHO for rule in rules)
    evidence = by_rule(rule.evidence or "event_name" for rule in rules)
    any_of = " OR ".join(f"({rule.where})" for rule in rules)
    return (
        f"SELECT rule, who, account_id, min(event_time) AS first_seen,"
        " max(event_time) AS last_seen, count(*) AS count, min(evidence) AS evidence"
        f" FROM (SELECT rule, account_id, event_time, {who} AS who, {evidence} AS evidence"
        f" FROM (SELECT * FROM events WHERE {any_of}) AS likely"
        f" CROSS JOIN (VALUES {ids}) AS rules (rule)"
        f" WHERE {by_rule(rule.where for rule in rules)}) AS found GROUP BY rule, who, account_id"
    )
