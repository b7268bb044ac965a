"""An organization's CloudTrail table in Athena: its DDL, its columns as `events`, its partitions.

Source: CloudTrail's record contents, and Athena User Guide, "Query AWS CloudTrail logs" and
"Partition projection".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from broker.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9_]+")
_ACCOUNT, _REGION = re.compile(r"[0-9]{12}"), re.compile(r"[a-z]{2}(-[a-z0-9]+)+")
DAY_KEYS = ("timestamp", "day", "date", "dt")
HINT = "`awslogin report --athena-ddl` prints a table that has all of them"

_PLAIN: Mapping[str, str] = {
    "event_id": "eventid",
    "event_time": "eventtime",
    "event_source": "eventsource",
    "event_name": "eventname",
    "event_type": "eventtype",
    "region": "awsregion",
    "address": "sourceipaddress",
    "error_code": "errorcode",
    "account_id": "recipientaccountid",
}
_IDENTITY: Mapping[str, str] = {
    "identity_type": "type",
    "arn": "arn",
    "principal_id": "principalid",
    "access_key": "accesskeyid",
    "user_name": "username",
    "invoked_by": "invokedby",
    "on_behalf_of": "onbehalfof.userid",
    "issuer_arn": "sessioncontext.sessionissuer.arn",
    "source_identity": "sessioncontext.sourceidentity",
}
_NEWER = {"onbehalfof", "sourceidentity"}
"""Fields of `useridentity` that older tables lack; then the column is NULL."""
_JSON: Mapping[str, tuple[str, str]] = {
    "request_user": ("requestparameters", "$.userName"),
    "request_role": ("requestparameters", "$.roleArn"),
    "request_source_identity": ("requestparameters", "$.sourceIdentity"),
    "request_policy": ("requestparameters", "$.policyArn"),
    "request_policy_name": ("requestparameters", "$.policyName"),
    "login": ("responseelements", "$.ConsoleLogin"),
    "given_key": ("responseelements", "$.credentials.accessKeyId"),
    "mfa_used": ("additionaleventdata", "$.MFAUsed"),
    "saml_provider": ("additionaleventdata", "$.SamlProviderArn"),
}

_DDL = """\
CREATE EXTERNAL TABLE {table} (
  eventversion STRING,
  useridentity STRUCT<
    type: STRING, principalid: STRING, arn: STRING, accountid: STRING, invokedby: STRING,
    accesskeyid: STRING, username: STRING,
    onbehalfof: STRUCT<userid: STRING, identitystorearn: STRING>,
    sessioncontext: STRUCT<
      attributes: STRUCT<mfaauthenticated: STRING, creationdate: STRING>,
      sessionissuer: STRUCT<
        type: STRING, principalid: STRING, arn: STRING, accountid: STRING, username: STRING>,
      ec2roledelivery: STRING,
      webidfederationdata: STRUCT<federatedprovider: STRING, attributes: MAP<STRING,STRING>>,
      sourceidentity: STRING>>,
  eventtime STRING,
  eventsource STRING,
  eventname STRING,
  awsregion STRING,
  sourceipaddress STRING,
  useragent STRING,
  errorcode STRING,
  errormessage STRING,
  requestparameters STRING,
  responseelements STRING,
  additionaleventdata STRING,
  requestid STRING,
  eventid STRING,
  readonly STRING,
  resources ARRAY<STRUCT<arn: STRING, accountid: STRING, type: STRING>>,
  eventtype STRING,
  apiversion STRING,
  recipientaccountid STRING,
  serviceeventdetails STRING,
  sharedeventid STRING,
  vpcendpointid STRING,
  eventcategory STRING,
  tlsdetails STRUCT<tlsversion: STRING, ciphersuite: STRING, clientprovidedhostheader: STRING>
)
PARTITIONED BY (account STRING, region STRING, `timestamp` STRING)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION '{location}'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.account.type' = 'enum',
  'projection.account.values' = '{accounts}',
  'projection.region.type' = 'enum',
  'projection.region.values' = '{regions}',
  'projection.timestamp.type' = 'date',
  'projection.timestamp.format' = 'yyyy/MM/dd',
  'projection.timestamp.interval' = '1',
  'projection.timestamp.interval.unit' = 'DAYS',
  'projection.timestamp.range' = '2020/01/01,NOW',
  'storage.location.template' = '{location}${{account}}/CloudTrail/${{region}}/${{timestamp}}'
)
"""


def ddl(accounts: Iterable[str], regions: Iterable[str], table: str = "cloudtrail_logs") -> str:
    """The statement that makes the table; BUCKET and ORGANIZATION_ID are left to fill in."""
    return _DDL.format(
        table=table,
        location="s3://BUCKET/AWSLogs/ORGANIZATION_ID/",
        accounts=",".join(sorted(set(accounts))) or "111122223333",
        regions=",".join(sorted({*regions, "us-east-1"})),
    )


def assumed() -> Mapping[str, Any]:
    """The `TableMetadata` of what `ddl` makes, where Athena does not tell a table's columns."""
    identity = _DDL.partition("useridentity ")[2].partition(",\n  eventtime")[0]
    types = dict.fromkeys([*_PLAIN.values(), *(column for column, _ in _JSON.values())], "string")
    types["useridentity"] = identity
    return {
        "Columns": [{"Name": name, "Type": type_} for name, type_ in types.items()],
        "PartitionKeys": [{"Name": name} for name in ("account", "region", "timestamp")],
    }


@dataclass(frozen=True)
class Table:
    """A table that the rules can search.

    Attributes:
        name: `"database"."table"`, quoted.
        identity: The type of its column `useridentity`.
        partitions: SQL that limits a query to the days, accounts and regions asked for.
    """

    name: str
    identity: str
    partitions: str

    def query(self, sql: str) -> str:
        """A rule's query over this table, in place of DuckDB's view `events`."""
        first, _, rest = sql.partition(" ")
        events = f"WITH events AS ({self._events()})"
        return f"{events}, {rest}" if first == "WITH" else f"{events} {sql}"

    def _events(self) -> str:
        columns = [f"{column} AS {name}" for name, column in _PLAIN.items()]
        for name, path in _IDENTITY.items():
            missing = any(part in _NEWER and part not in self.identity for part in path.split("."))
            value = "CAST(NULL AS VARCHAR)" if missing else f"useridentity.{path}"
            if name == "arn" and "onbehalfof" in self.identity:
                value = f"COALESCE({value}, useridentity.onbehalfof.userid)"
            columns.append(f"{value} AS {name}")
        for name, (column, path) in _JSON.items():
            value = f"json_extract_scalar({column}, '{path}')"
            if name == "request_policy":
                value = f"COALESCE({value}, json_extract_scalar({column}, '$.policyName'))"
            columns.append(f"{value} AS {name}")
        return f"SELECT DISTINCT {', '.join(columns)} FROM {self.name} WHERE {self.partitions}"


def split_name(text: str) -> tuple[str, str]:
    """Database and table of `DATABASE.TABLE`.

    Raises:
        ConfigError: It is no such name.
    """
    database, dot, table = text.partition(".")
    if not dot or not _NAME.fullmatch(database) or not _NAME.fullmatch(table):
        raise ConfigError(f"--athena {text[:80]!r}: not DATABASE.TABLE")
    return database.lower(), table.lower()


def checked(
    named: str,
    described: Mapping[str, Any],
    window: tuple[str, str],
    *,
    accounts: Iterable[str],
    regions: Iterable[str],
    only: Iterable[str] = (),
) -> Table:
    """The table, if it has the columns and partitions that the rules need.

    Args:
        named: `DATABASE.TABLE`.
        described: `TableMetadata` of Athena's GetTableMetadata.
        window: Its first and its last moment, UTC, as CloudTrail writes them.
        accounts: That the config reaches.
        regions: Of its profiles.
        only: Regions that are looked at; where none is named, those that the table declares.

    Raises:
        ConfigError: It has other columns or types, or no partition by day.
    """
    types = {
        str(column.get("Name")).lower(): re.sub(r"\s", "", str(column.get("Type") or "").lower())
        for column in described.get("Columns") or ()
    }
    wanted = dict.fromkeys([*_PLAIN.values(), *(column for column, _ in _JSON.values())])
    wrong = [
        f"{name} is {types[name]}" if name in types else f"{name} is missing"
        for name in wanted
        if not re.fullmatch(r"string|varchar(\(\d+\))?", types.get(name, ""))
    ]
    identity = types.get("useridentity", "")
    fields = set(re.findall(r"([a-z0-9_]+):", identity))
    parts = {part for path in _IDENTITY.values() for part in path.split(".")} - _NEWER
    lacking = sorted(parts - {"userid"} - fields)
    if not identity.startswith("struct<") or lacking:
        wrong.append(f"useridentity has no {', '.join(lacking) or 'fields'}")
    if wrong:
        raise ConfigError(
            f"{named} is not CloudTrail's table: {'; '.join(wrong[:4])}"
            f"{f' and {len(wrong) - 4} more' if len(wrong) > 4 else ''}",
            hint=HINT,
        )
    database, table = split_name(named)
    partitions = _predicate(named, described, window, accounts=accounts, regions=regions, only=only)
    return Table(f'"{database}"."{table}"', identity, partitions)


def _predicate(
    named: str,
    described: Mapping[str, Any],
    window: tuple[str, str],
    *,
    accounts: Iterable[str],
    regions: Iterable[str],
    only: Iterable[str],
) -> str:
    keys = [str(key.get("Name")).lower() for key in described.get("PartitionKeys") or ()]
    settings = {str(k).lower(): str(v) for k, v in (described.get("Parameters") or {}).items()}
    day = next((key for key in DAY_KEYS if key in keys), None)
    if day is None:
        raise ConfigError(
            f"{named} has no partition by day ({', '.join(DAY_KEYS)}): each query would read all"
            " of it",
            hint=HINT,
        )
    dashed = "-" in settings.get(f"projection.{day}.format", "yyyy/MM/dd")
    first, last = (moment[:10] if dashed else moment[:10].replace("-", "/") for moment in window)
    found = [
        f"\"{day}\" BETWEEN '{first}' AND '{last}'",
        f"eventtime BETWEEN '{window[0]}' AND '{window[1]}'",
    ]
    for key, narrowed, ours, shape in (
        ("account", (), accounts, _ACCOUNT),
        ("region", only, [*regions, "us-east-1"], _REGION),
    ):
        if key not in keys:
            continue
        declared = set(re.findall(r"[^,\s]+", settings.get(f"projection.{key}.values", "")))
        values = sorted(set(narrowed) or declared or set(ours))
        if not values or not all(map(shape.fullmatch, values)):
            raise ConfigError(
                f"{named}: which {key}s to ask for is not known",
                hint=f"list them in the table's projection.{key}.values, or in the config",
            )
        listed = ", ".join(f"'{value}'" for value in values)
        found.append(f'"{key}" IN ({listed})')
    return " AND ".join(found)
