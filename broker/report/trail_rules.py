"""What CloudTrail's events are searched for: one query a rule, the same for DuckDB and Athena.

A query reads `events`, whose columns `trail` describes, and gives who, account_id, first_seen,
last_seen, count and evidence. `{addresses}`, `{failures}`, `{new_since}` and `{regions}` are
numbers, a time and a list of our own, never a value of an event.
"""

from __future__ import annotations

from broker.report.finding import Rule

_SEEN = "min(event_time) AS first_seen, max(event_time) AS last_seen, count(*) AS count"
_BY_WHO = "GROUP BY arn, account_id"
_FROM_OUTSIDE = (
    "invoked_by IS NULL AND address NOT LIKE '%.amazonaws.com' AND address <> 'AWS Internal'"
)
"""Not a call that an AWS service makes on somebody's behalf."""


def _acts(where: str, evidence: str = "min(event_name)") -> str:
    """One finding a principal for events of a kind."""
    return (
        f"SELECT arn AS who, account_id, {_SEEN}, {evidence} AS evidence"
        f" FROM events WHERE error_code IS NULL AND {where} {_BY_WHO}"
    )


RULES = (
    Rule(
        "root-used", "error", "cloudtrail", "The root user was used",
        "Root can do everything and cannot be limited; it is for emergencies alone.",
        "sign in by a profile instead: awslogin list", "Sigma aws_root_account_usage",
        _acts(f"identity_type = 'Root' AND event_type <> 'AwsServiceEvent' AND {_FROM_OUTSIDE}"),
    ),
    Rule(
        "console-login-without-mfa", "error", "cloudtrail", "A console sign-in without MFA",
        "A stolen password is enough.",
        "give {who} an MFA device, or take the password away",
        "Sigma aws_cloudtrail_console_login_success_without_mfa",
        _acts(
            "event_name = 'ConsoleLogin' AND login = 'Success' AND mfa_used = 'No'"
            " AND saml_provider IS NULL AND identity_type IN ('IAMUser', 'Root')",
            "min(address)",
        ),
    ),
    Rule(
        "console-login-beside-sso", "warning", "cloudtrail",
        "A console sign-in of an IAM user beside single sign-on",
        "A password of AWS's own outlives the person's account at the identity provider.",
        "awslogin console {profile}", "Panther AWS.Console.LoginWithoutSAML",
        _acts(
            "event_name = 'ConsoleLogin' AND login = 'Success' AND identity_type = 'IAMUser'"
            " AND saml_provider IS NULL", "min(address)",
        ),
    ),
    Rule(
        "long-term-key-used", "warning", "cloudtrail", "A long-term key is still used",
        "It has no end: whoever copies it has it until somebody notices.",
        "awslogin migrate {profile} --to PROVIDER", "Panther AWS.CloudTrail.UserAccessKeyAuth",
        f"SELECT arn AS who, account_id, {_SEEN}, min(access_key) AS evidence FROM events"
        f" WHERE access_key LIKE 'AKIA%' AND {_FROM_OUTSIDE} {_BY_WHO}",
    ),
    Rule(
        "long-term-key-new-address", "warning", "cloudtrail",
        "A long-term key was used from a new address",
        "So does a thief.", "awslogin rotate {profile}",
        "Elastic credential_access_iam_long_term_access_key_first_seen_from_source_ip",
        "WITH places AS (SELECT access_key, arn, account_id, address,"
        " min(event_time) AS first_seen, max(event_time) AS last_seen, count(*) AS times"
        f" FROM events WHERE access_key LIKE 'AKIA%' AND {_FROM_OUTSIDE}"
        " GROUP BY access_key, arn, account_id, address),"
        " began AS (SELECT access_key, min(first_seen) AS first_use FROM places"
        " GROUP BY access_key)"
        " SELECT arn AS who, account_id, min(first_seen) AS first_seen,"
        " max(last_seen) AS last_seen, CAST(sum(times) AS BIGINT) AS count,"
        " min(address) AS evidence FROM places JOIN began ON places.access_key = began.access_key"
        " WHERE first_seen >= '{new_since}' AND first_use < '{new_since}'"
        " GROUP BY arn, account_id",
    ),
    Rule(
        "session-many-addresses", "warning", "cloudtrail",
        "One session was used from many addresses",
        "A session belongs to one machine; a copied one shows up elsewhere.",
        "awslogin logout {profile}, then revoke the role's sessions in IAM",
        "Elastic initial_access_iam_session_token_used_from_multiple_addresses",
        "WITH sessions AS (SELECT access_key, arn, account_id, min(event_time) AS first_seen,"
        " max(event_time) AS last_seen, count(DISTINCT address) AS places, count(*) AS times"
        f" FROM events WHERE access_key LIKE 'ASIA%' AND {_FROM_OUTSIDE}"
        " AND (issuer_arn IS NULL OR issuer_arn NOT LIKE '%:role/aws-service-role/%')"
        " GROUP BY access_key, arn, account_id)"
        " SELECT arn AS who, account_id, min(first_seen) AS first_seen,"
        " max(last_seen) AS last_seen, CAST(sum(times) AS BIGINT) AS count,"
        " CAST(max(places) AS VARCHAR) AS evidence FROM sessions WHERE places > {addresses}"
        " GROUP BY arn, account_id",
    ),
    Rule(
        "password-spraying", "error", "cloudtrail", "Many failed console sign-ins from one address",
        "Somebody tries passwords.", "block {who}, and look at whose passwords were tried",
        "Panther AWS.CloudTrail.PasswordSpraying",
        "WITH hours AS (SELECT address, account_id, substr(event_time, 1, 13) AS hour,"
        " min(event_time) AS first_seen, max(event_time) AS last_seen, count(*) AS times"
        " FROM events WHERE event_name = 'ConsoleLogin' AND login = 'Failure'"
        " GROUP BY address, account_id, substr(event_time, 1, 13))"
        " SELECT address AS who, account_id, min(first_seen) AS first_seen,"
        " max(last_seen) AS last_seen, CAST(sum(times) AS BIGINT) AS count,"
        " CAST(max(times) AS VARCHAR) AS evidence FROM hours WHERE times > {failures}"
        " GROUP BY address, account_id",
    ),
    Rule(
        "mfa-device-removed", "warning", "cloudtrail", "An MFA device was removed",
        "Often the step before a takeover.", "ask {who}, and register a device again",
        "Elastic impact_iam_deactivate_mfa_device",
        _acts("event_name IN ('DeactivateMFADevice', 'DeleteVirtualMFADevice')"),
    ),
    Rule(
        "key-for-somebody-else", "error", "cloudtrail", "A key was made for another user",
        "A way back in that survives its maker.", "ask {who}, and delete the key",
        "Sigma aws_iam_backdoor_users_keys",
        _acts(
            "event_name = 'CreateAccessKey' AND request_user IS NOT NULL"
            " AND (user_name IS NULL OR request_user <> user_name)", "min(request_user)",
        ),
    ),
    Rule(
        "password-set-for-user", "warning", "cloudtrail", "A console password was set for a user",
        "Passwords of AWS's own go around single sign-on.", "ask {who}, and delete the password",
        "Sigma aws_update_login_profile",
        _acts("event_name IN ('CreateLoginProfile', 'UpdateLoginProfile')", "min(request_user)"),
    ),
    Rule(
        "identity-provider-changed", "error", "cloudtrail", "An identity provider was changed",
        "Whoever controls it signs in as anybody.", "ask {who}, and compare its metadata",
        "Sigma aws_sso_idp_change, aws_susp_saml_activity",
        _acts(
            "event_name IN ('UpdateSAMLProvider', 'CreateSAMLProvider',"
            " 'CreateOpenIDConnectProvider', 'UpdateOpenIDConnectProviderThumbprint',"
            " 'AddClientIDToOpenIDConnectProvider', 'AssociateDirectory', 'DisassociateDirectory')"
        ),
    ),
    Rule(
        "key-quarantined", "error", "cloudtrail", "AWS has quarantined a key",
        "AWS has found it in public.", "awslogin rotate {profile}",
        "Panther AWS.IAM.AccessKeyCompromised",
        f"SELECT COALESCE(request_user, arn) AS who, account_id, {_SEEN},"
        " min(event_name) AS evidence FROM events"
        " WHERE event_name IN ('PutUserPolicy', 'AttachUserPolicy')"
        " AND (request_policy LIKE '%AWSCompromisedKeyQuarantine%')"
        " GROUP BY COALESCE(request_user, arn), account_id",
    ),
    Rule(
        "ci-credentials-elsewhere", "error", "cloudtrail",
        "A CI job's credentials were used from elsewhere",
        "A job's session has one runner; a leaked one shows up at another address.",
        "revoke the role's sessions in IAM, and narrow what the job prints",
        "Elastic initial_access_github_actions_oidc_credentials_used_from_suspicious_network",
        "WITH given AS (SELECT given_key AS access_key, min(address) AS home FROM events"
        " WHERE event_name = 'AssumeRoleWithWebIdentity' AND given_key IS NOT NULL"
        " AND error_code IS NULL GROUP BY given_key)"
        " SELECT events.arn AS who, events.account_id AS account_id,"
        " min(event_time) AS first_seen, max(event_time) AS last_seen, count(*) AS count,"
        " min(address) AS evidence FROM events JOIN given ON events.access_key = given.access_key"
        f" WHERE address <> home AND {_FROM_OUTSIDE} GROUP BY events.arn, events.account_id",
    ),
    Rule(
        "no-source-identity", "warning", "cloudtrail", "A session without SourceIdentity",
        "The team asks for it, so that each act can be traced to a person.",
        "set `defaults.source_identity` in the team's YAML", "",
        _acts(
            "event_name IN ('AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity')"
            f" AND request_source_identity IS NULL AND source_identity IS NULL AND {_FROM_OUTSIDE}"
            " AND identity_type <> 'AWSService'", "min(request_role)",
        ),
    ),
    Rule(
        "role-by-user-key", "warning", "cloudtrail", "A role was taken with a user's key",
        "The team signs in by single sign-on; this goes around it.",
        "awslogin migrate {profile} --to PROVIDER", "",
        _acts(
            f"event_name = 'AssumeRole' AND access_key LIKE 'AKIA%' AND {_FROM_OUTSIDE}",
            "min(request_role)",
        ),
    ),
    Rule(
        "region-not-used", "info", "cloudtrail", "Sign-ins in a region that the team does not use",
        "Old clients ask STS's global endpoint (us-east-1); strangers like quiet regions.",
        "awslogin explain {profile}", "",
        "SELECT region AS who, account_id, min(event_time) AS first_seen,"
        " max(event_time) AS last_seen, count(*) AS count, min(arn) AS evidence FROM events"
        " WHERE event_source = 'sts.amazonaws.com' AND event_name LIKE 'AssumeRole%'"
        f" AND identity_type <> 'AWSService' AND {_FROM_OUTSIDE} AND region NOT IN ({{regions}})"
        " GROUP BY region, account_id",
    ),
)  # fmt: skip

_KIND = (
    "CASE WHEN event_name = 'AssumeRoleWithSAML' THEN 'SAML'"
    " WHEN event_name = 'AssumeRoleWithWebIdentity' THEN 'web identity'"
    " WHEN event_name = 'ConsoleLogin' THEN 'console'"
    " WHEN event_source = 'sso.amazonaws.com' THEN 'Identity Center' ELSE 'role or keys' END"
)
PICTURES = {
    "sign_ins": f"SELECT substr(event_time, 1, 10) AS day, {_KIND} AS kind, count(*) AS count"
    " FROM events WHERE error_code IS NULL AND event_name IN ('AssumeRole', 'AssumeRoleWithSAML',"
    " 'AssumeRoleWithWebIdentity', 'ConsoleLogin', 'GetSessionToken', 'GetRoleCredentials')"
    f" AND (login IS NULL OR login = 'Success') AND {_FROM_OUTSIDE} GROUP BY 1, 2",
    "uses": "SELECT substr(event_time, 1, 10) AS day, CASE WHEN access_key LIKE 'AKIA%'"
    " THEN 'long-term key' ELSE 'federated' END AS kind, count(*) AS count FROM events"
    f" WHERE access_key IS NOT NULL AND {_FROM_OUTSIDE} GROUP BY 1, 2",
    "long_term_keys": "SELECT arn AS who, count(*) AS count FROM events"
    f" WHERE access_key LIKE 'AKIA%' AND {_FROM_OUTSIDE} GROUP BY arn ORDER BY count DESC LIMIT 15",
}
"""Name of a picture → a query for its numbers."""
