"""CloudTrail's events in Athena: a few queries, each paid by the bytes that it scans.

Source: Athena API Reference, StartQueryExecution, GetQueryExecution, GetQueryResults, GetWorkGroup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from broker.credentials import Credentials
from broker.errors import AwsLoginError, ConfigError, NetworkError, RoleRefused, UnexpectedReply
from broker.ports.aws import Aws
from broker.ports.aws_errors import error_code
from broker.ports.clock import Clock
from broker.report.athena_table import assumed, split_name
from broker.report.finding import Source
from broker.terminal_text import one_line

PATIENCE_SECONDS, PAUSE_SECONDS = 900.0, 1.0
MAX_ROWS = 10_000


class ScanBoundError(Exception):
    """The bytes that may be scanned are used up."""


def readable_bytes(count: int) -> str:
    """A number of bytes for people: `1.5 GB`."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"


class Athena:
    """Asks an organization's table, in a workgroup.

    Args:
        aws: Makes the client.
        credentials: Of a profile's session.
        region: Where the table is.
        workgroup: Whose settings say where results lie and how much a query may scan.
        max_scan: Bytes that all queries together may scan; None leaves it to the workgroup.
        clock: Waits.
        source: Takes the warnings.
        note: Tells the person what a workgroup's bound is.
    """

    def __init__(
        self,
        aws: Aws,
        credentials: Credentials,
        region: str,
        *,
        workgroup: str,
        max_scan: int | None,
        clock: Clock,
        source: Source,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._client = aws.client("athena", region, credentials)
        self._errors = aws.errors
        self._workgroup, self._max_scan = workgroup, max_scan
        self._clock, self._source, self._note = clock, source, note
        self.scanned = 0
        self._most = 0

    def describe(self, named: str) -> Mapping[str, Any]:
        """`TableMetadata` of a table, or of our own where it may not be read.

        Tells the workgroup's own bound.

        Raises:
            ConfigError: There is no such table or workgroup, or it is switched off.
            RoleRefused: The session may not read it.
        """
        try:
            with self._errors(f"GetWorkGroup {self._workgroup}"):
                group = self._client.get_work_group(WorkGroup=self._workgroup)["WorkGroup"]
        except AwsLoginError as error:
            raise self._named(error) from error
        if group.get("State") == "DISABLED":
            raise ConfigError(
                f"the workgroup {self._workgroup} is disabled", hint="name another by --workgroup"
            )
        cutoff = (group.get("Configuration") or {}).get("BytesScannedCutoffPerQuery")
        bound = f"{readable_bytes(cutoff)} a query" if cutoff else "no bound of its own"
        self._note(f"the workgroup {self._workgroup} has {bound}")
        database, table = split_name(named)
        try:
            with self._errors(f"GetTableMetadata {named}"):
                reply = self._client.get_table_metadata(
                    CatalogName="AwsDataCatalog",
                    DatabaseName=database,
                    TableName=table,
                    WorkGroup=self._workgroup,
                )
                found: Mapping[str, Any] = reply["TableMetadata"]
        except (RoleRefused, UnexpectedReply, NetworkError) as error:
            self._source.warnings.append(
                f"{error.message}; the table is taken for one that --athena-ddl makes"
            )
            return assumed()
        except AwsLoginError as error:
            raise self._named(error) from error
        return found

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query, by column.

        Raises:
            ScanBoundError: It would pass, or has passed, the bytes that may be scanned.
            ConfigError: Athena does not take the query.
            NetworkError: It failed for a reason of Athena's own, or takes too long.
            RoleRefused: The session may not run it.
        """
        if self._max_scan is not None and self.scanned + self._most > self._max_scan:
            raise ScanBoundError
        try:
            with self._errors(f"StartQueryExecution in the workgroup {self._workgroup}"):
                started = self._client.start_query_execution(
                    QueryString=sql, WorkGroup=self._workgroup
                )
                query = str(started["QueryExecutionId"])
        except AwsLoginError as error:
            raise self._named(error) from error
        try:
            self._wait(query)
        except BaseException:
            self._stop(query)
            raise
        return self._results(query)

    def _wait(self, query: str) -> None:
        end = self._clock.monotonic() + PATIENCE_SECONDS
        while True:
            with self._errors(f"GetQueryExecution {query}"):
                execution = self._client.get_query_execution(QueryExecutionId=query)
                execution = execution["QueryExecution"]
                state = str(execution["Status"]["State"])
            scanned = int((execution.get("Statistics") or {}).get("DataScannedInBytes") or 0)
            over = self._max_scan is not None and self.scanned + scanned > self._max_scan
            if over and state in {"QUEUED", "RUNNING"}:
                self.scanned += scanned
                raise ScanBoundError
            if state in {"SUCCEEDED", "FAILED", "CANCELLED"}:
                self.scanned += scanned
                self._most = max(self._most, scanned)
            if state == "SUCCEEDED":
                return
            if state in {"FAILED", "CANCELLED"}:
                raise _failure(query, state, execution["Status"])
            if self._clock.monotonic() > end:
                raise NetworkError(f"Athena's query {query} takes too long", hint="try again later")
            self._clock.sleep(PAUSE_SECONDS)

    def _stop(self, query: str) -> None:
        try:
            with self._errors(f"StopQueryExecution {query}"):
                self._client.stop_query_execution(QueryExecutionId=query)
        except AwsLoginError as error:
            self._source.warnings.append(error.message)

    def _results(self, query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        names: list[str] = []
        more: dict[str, str] = {}
        while True:
            with self._errors(f"GetQueryResults {query}"):
                page = self._client.get_query_results(QueryExecutionId=query, **more)
                rows = page["ResultSet"]["Rows"]
                values = [[cell.get("VarCharValue") for cell in row["Data"]] for row in rows]
            if not names:  # the first row is the header
                names, values = [str(name) for name in (values or [[]])[0]], values[1:]
            found += [dict(zip(names, row, strict=False)) for row in values]
            if len(found) > MAX_ROWS:
                self._source.warnings.append(
                    f"one query has more than {MAX_ROWS} rows: findings of any rule may be missing;"
                    " ask for fewer --days"
                )
                return found[:MAX_ROWS]
            if not page.get("NextToken"):
                return found
            more = {"NextToken": page["NextToken"]}

    def _named(self, error: AwsLoginError) -> AwsLoginError:
        """The same error with a hint that fits Athena."""
        code = error_code(error.__cause__)
        if code in {"InvalidRequestException", "MetadataException"}:
            return ConfigError(error.message, hint="check --athena and --workgroup")
        if code in {"AccessDeniedException", "AccessDenied"}:
            error.hint = (
                f"the role needs athena:*QueryExecution, GetQueryResults, GetWorkGroup and"
                f" GetTableMetadata on the workgroup {self._workgroup}, Glue's table, and its S3"
                " buckets"
            )
        return error


def _failure(query: str, state: str, status: Mapping[str, Any]) -> AwsLoginError:
    """What a query that did not succeed says."""
    reason = one_line(str(status.get("StateChangeReason") or ""), 400)
    about = f"Athena's query {query} is {state}" + (f": {reason}" if reason else "")
    if state == "CANCELLED":
        return ConfigError(
            about, hint="it was stopped, or passed the workgroup's bound: ask for fewer --days"
        )
    kind = (status.get("AthenaError") or {}).get("ErrorCategory")
    if kind == 1:  # system
        return NetworkError(about, hint="try again later")
    if not reason and not kind:
        return UnexpectedReply(about)
    return ConfigError(about, hint="check the table, its location and the role's rights to it")
