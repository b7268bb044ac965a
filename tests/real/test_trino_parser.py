"""Every statement for Athena is Trino's grammar, by Trino's own parser."""

from __future__ import annotations

from pathlib import Path

from broker.report import people, trail_rules
from broker.report.athena_table import checked
from tests.real.parts import trino
from tests.sandbox.athena import columns

WINDOW = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
VALUES = {"addresses": 5, "failures": 20, "regions": "'eu-west-1'"}


def test_every_statement_is_trino(tmp_path: Path) -> None:
    described = {
        "Columns": [{"Name": name, "Type": type_} for name, type_ in columns()],
        "PartitionKeys": [{"Name": name} for name in ("account", "region", "timestamp")],
    }
    table = checked(
        "security.trail", described, WINDOW, accounts=["111122223333"], regions=["eu-west-1"]
    )
    queries = [one.format(**VALUES) for one in trail_rules.statements(trail_rules.RULES)]
    queries += [trail_rules.DAYS, people.NAMES]
    statements = [*map(table.query, queries), "SELECT FROM WHERE"]
    *found, wrong = trino.faults(statements, tmp_path)
    assert set(found) == {"good"}
    assert len(found) == len(queries)
    assert "mismatched input" in wrong
