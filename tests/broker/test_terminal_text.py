"""What a terminal shows of words that others chose, and which secrets stay out of them."""

from __future__ import annotations

import unicodedata

import pytest

from broker.secret import Secret, masked
from broker.terminal_text import escape_controls, one_line


@pytest.fixture(autouse=True)
def no_other_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.secret._seen", set())


INVISIBLE = "\xad\u034f\u115f\u180e\u200b\u2800\u3164\ufe0f\ufff9\U000e0041"
"""Letters without a form of their own that public attacks have used."""


@pytest.mark.parametrize("letter", [*"\x1b\x07\r\x7f\x85\x9b\u061c\u202e\u2066", *INVISIBLE])
def test_what_fools_a_reader_is_written_out_or_left_out(letter: str) -> None:
    written = ascii(letter)[1:-1]
    assert escape_controls(f"a{letter}b\tc\n") == f"a{written}b\tc\n"
    assert one_line(f"a{letter}b").replace(" ", "") == "ab"


def test_letters_of_all_scripts_stay() -> None:
    text = "".join(
        letter
        for letter in map(chr, range(0x20, 0x11000))
        if unicodedata.category(letter)[0] in "LNPS" and letter not in INVISIBLE
        and "FILLER" not in unicodedata.name(letter)
    )  # fmt: skip
    assert escape_controls(text) == text


def test_a_line_is_one_line_and_has_an_end() -> None:
    assert one_line(" a \r\n b\u2028c\t\x1b ") == "a b c"
    assert one_line("a" * 400) == "a" * 300 + "…"
    assert one_line("a" * 10, 4) == "aaaa…"


@pytest.mark.parametrize("secret", ["hunter2-long", "ab!", "k", "пароль", "a b", "1234"])
def test_a_secret_is_masked_at_any_length_however_it_is_spelt(secret: str) -> None:
    from json import dumps
    from urllib.parse import urlencode

    Secret.typed(secret)
    for text in (f"password={secret}&x=1", dumps({"p": secret}), urlencode({"p": secret})):
        assert secret not in masked(text)
        assert Secret.MASK in masked(text)


def test_a_short_secret_spoils_no_other_words() -> None:
    Secret.typed("k")
    Secret.typed("log")
    assert masked("awslogin: no such keychain k") == "awslogin: no such keychain ********"
