"""Tables and lines on a terminal: what is shortened, what never, and who wants no colours."""

from __future__ import annotations

import sys

import pytest

from broker.cli.tables import is_coloured, table, wrapped

COLUMNS = ("profile", "type", "account_id", "region")
ROW = ("stage-with-a-long-name", "identity-center", "111122223333", "eu-central-1")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("terminal")
def test_a_name_to_type_and_an_account_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = table(COLUMNS, [ROW])
    assert "stage-with-a-long-name" in text
    assert "111122223333" in text
    assert "identity-center" not in text
    monkeypatch.setenv("COLUMNS", "40")
    assert "profile: stage-with-a-long-name\n" in table(COLUMNS, [ROW])


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colours(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert is_coloured()
    monkeypatch.setenv(name, value)
    assert not is_coloured()
    assert "\033" not in table(COLUMNS, [ROW])


@pytest.mark.usefixtures("terminal")
def test_a_line_is_broken_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    assert (
        wrapped("one two three four five six seven", "  ") == "one two three four five six\n  seven"
    )
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert "\n" not in wrapped("one two three four five six seven", "  ")
