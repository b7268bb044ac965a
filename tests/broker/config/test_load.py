"""The config: what is taken, what is refused, and where each error stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.config import Config, NoConfig, SpoiledFile, load
from broker.durations import parse_duration
from broker.errors import AwsLoginError, ConfigError, UsageError

HEAD = """\
version: 1
team: t
providers:
  keys: {type: static}
  corp: {type: identity-center, start_url: https://corp.awsapps.com/start, region: eu-west-1}
  sso: {type: saml, idp: form, url: https://sso.corp.example/}
profiles:
"""


def config(tmp_path: Path, text: str | bytes, **environ: str) -> Config:
    path = tmp_path / "c.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(str(path), {"AWSLOGIN_HOME": str(tmp_path / "home"), **environ}, tmp_path)


def spoiled(tmp_path: Path, text: str | bytes) -> ConfigError:
    with pytest.raises(ConfigError) as failed:
        config(tmp_path, text)
    return failed.value


def problem(tmp_path: Path, profiles: str, name: str = "a") -> ConfigError:
    loaded = config(tmp_path, HEAD + "  fine: {provider: keys}\n" + profiles)
    assert loaded.profile("fine").name == "fine"
    with pytest.raises(ConfigError) as failed:
        loaded.profile(name)
    assert failed.value.profile == name
    assert failed.value.reason in [one.reason for one in loaded.problems]
    return failed.value


def test_the_example_loads() -> None:
    example = Path(__file__).parents[3] / "config.example.yaml"
    loaded = load(str(example), {"USER": "ann"}, example.parent)
    assert loaded.problems == []
    assert loaded.profile("deploy").duration == 4 * 3600
    assert loaded.profile("deploy").keys_profile == "dev"
    assert loaded.profile("audit").duration == 3600
    assert loaded.provider("sso").options.username == "ann@corp.example"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("version: 1\nprofilse: {}\n", 2, "did you mean `profiles`"),
        (HEAD + "  a: {provider: keys, regoin: eu-west-1}\n", 8, "did you mean `region`"),
        (HEAD + "  a: {provider: keys}\n  a: {provider: corp}\n", 9, "twice"),
        (HEAD.replace("start_url", "strat_url"), 5, "did you mean `start_url`"),
        (HEAD + "  a: {provider: keys, duration: soon}\n", 8, "no duration"),
        (HEAD + "  a: [provider, keys]\n", 8, "profiles.a"),
        (HEAD + "  a b: {provider: keys}\n", 8, "no valid name"),
        (HEAD + "  a: {provider: keys, account: 11112222333}\n", 8, "quote the account id"),
        (HEAD + "  a: {provider: keys, account: 011122223333}\n", 8, "quote the account id"),
        (HEAD + "  a: {provider: keys, account: '١١١١٢٢٢٢٣٣٣٣'}\n", 8, "wrong form"),
        (HEAD + "  a: {provider: keys, region: 'eu west'}\n", 8, "wrong form"),
        (HEAD + "  a: {provider: keys, role_arn: 'arn:aws:iam::1:role/x'}\n", 8, "wrong form"),
        (HEAD + '  a: {provider: keys, external_id: "a\\nb"}\n', 8, "line breaks"),
        ("version: 2\n", 1, "version"),
        ("version: 1\nextends: [x]\n", 2, "x cannot be read"),
        ("- a\n", 1, "mapping"),
        ("version: 1\nteam: [\n", 3, "broken YAML"),
        ("version: 1\n\tteam: x\n", 2, "broken YAML"),
        ("version: 1\nteam: !!python/object:os.system x\n", 2, "does not know"),
        ("", 1, "empty"),
        (b"version: 1\nteam: \xff\n", 2, "UTF-8"),
        ("version: 1\n? [a, b]\n: c\n", 2, "plain text"),
    ],
)
def test_what_spoils_the_file(tmp_path: Path, text: str, line: int, words: str) -> None:
    error = spoiled(tmp_path, text)
    assert error.exit_code == 2
    assert error.line == line
    assert words in f"{error.message} {error.hint}"
    assert error.message.startswith(str(tmp_path / "c.yaml"))


def test_all_errors_of_a_file_are_kept(tmp_path: Path) -> None:
    with pytest.raises(SpoiledFile) as failed:
        config(tmp_path, HEAD + "  a: {provder: keys}\n  b: {provider: keys, durtion: 1h}\n")
    assert [error.line for error in failed.value.errors] == [8, 9]
    assert all(error.column for error in failed.value.errors)


CN = "arn:aws-cn:iam::111122223333:role/x"


@pytest.mark.parametrize(
    ("profiles", "words"),
    [
        ("  a: {provider: kyes}\n", "did you mean `keys`"),
        (
            "  a: {source: fin, role_arn: 'arn:aws:iam::111122223333:role/x'}\n",
            "did you mean `fine`",
        ),
        ("  a: {provider: keys, source: fine}\n", "both"),
        ("  a: {region: eu-west-1}\n", "neither"),
        ("  a: {source: fine, external_id: '4711'}\n", "no role"),
        ("  a: {provider: corp, role: Dev}\n", "no `account`"),
        ("  a: {provider: corp, account: '111122223333'}\n", "needs `account` and `role`"),
        ("  a: {provider: keys, duration: 10m}\n", "at least 15 minutes"),
        ("  a: {provider: keys, duration: 37h}\n", "at most 36 hours"),
        ("  a: {provider: keys, mfa_serial: 'arn:aws:iam::111122223333:u2f/k'}\n", "security key"),
        ("  a: {provider: keys, region: eu-wst-1}\n", "did you mean `eu-west-1`"),
        (
            f"  a: {{provider: keys, region: eu-west-1, role_arn: '{CN}'}}\n",
            "eu-west-1 in aws",
        ),
        ("  a: {provider: keys, session_name: 'a b'}\n", "session_name"),
        ("  a: {provider: keys, transitive_tags: [x]}\n", "session_tags"),
        ("  a: {provider: keys, session_name: '${AWSLOGIN_VAR_NO_SUCH}'}\n", "NO_SUCH is not set"),
        ("  a: {provider: keys, session_name: '${AWS_SECRET_ACCESS_KEY}'}\n", "may hold a secret"),
    ],
)
def test_what_spoils_one_profile_alone(tmp_path: Path, profiles: str, words: str) -> None:
    error = problem(tmp_path, profiles)
    assert error.line == 9
    assert words in f"{error.message} {error.hint}"


def test_roles_of_two_partitions_make_no_chain(tmp_path: Path) -> None:
    role = "arn:{}:iam::111122223333:role/x"
    first = f"  b: {{provider: keys, role_arn: '{role.format('aws-us-gov')}'}}\n"
    error = problem(tmp_path, f"{first}  a: {{source: b, role_arn: '{role.format('aws')}'}}\n")
    assert "its source `b` in aws-us-gov" in error.message


ROLE = "role_arn: 'arn:aws:iam::111122223333:role/x'"


def test_a_circle_of_sources(tmp_path: Path) -> None:
    error = problem(tmp_path, f"  a: {{source: b, {ROLE}}}\n  b: {{source: a, {ROLE}}}\n")
    assert "a → b → a" in error.message or "b → a → b" in error.message


def test_the_one_hour_rule(tmp_path: Path) -> None:
    chain = f"  r: {{source: fine, {ROLE}}}\n  a: {{source: r, {ROLE}, duration: 2h}}\n"
    assert "at most 1 hour" in problem(tmp_path, chain).message
    loaded = config(
        tmp_path, HEAD + f"  u: {{provider: keys}}\n  a: {{source: u, {ROLE}, duration: 12h}}\n"
    )
    assert loaded.profile("a").duration == 12 * 3600
    with pytest.raises(UsageError, match="at most 12 hours"):
        loaded.profile("a").with_duration(13 * 3600)


def test_an_inherited_duration_is_lowered(tmp_path: Path) -> None:
    text = HEAD.replace("team: t", "team: t\ndefaults: {duration: 8h}")
    text += f"  u: {{provider: keys}}\n  r: {{source: u, {ROLE}}}\n  a: {{source: r, {ROLE}}}\n"
    loaded = config(tmp_path, text)
    assert (loaded.profile("r").duration, loaded.profile("a").duration) == (8 * 3600, 3600)


@pytest.mark.parametrize(
    "line",
    [
        "password: hunter2hunter2",
        "external_id: AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key: wJalrXUtnFEMI",
    ],
)
def test_a_secret_is_an_error_that_does_not_repeat_it(tmp_path: Path, line: str) -> None:
    with pytest.raises(SpoiledFile) as failed:
        config(tmp_path, HEAD + f"  a:\n    provider: keys\n    {line}\n")
    said = " ".join(f"{error.message} {error.hint}" for error in failed.value.errors)
    assert "secret stands in the YAML" in said
    assert line.split(": ")[1] not in said


def test_aliases_that_unfold_without_end(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for name, before in zip("bcdefgh", "abcdefg", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    assert "without end" in spoiled(tmp_path, bomb).message


def test_deep_nesting(tmp_path: Path) -> None:
    assert spoiled(tmp_path, "version: " + "[" * 5000 + "]" * 5000).exit_code == 2


def test_merge_keys_and_unquoted_account(tmp_path: Path) -> None:
    loaded = config(
        tmp_path,
        HEAD + "  base: &b {provider: corp, account: 111122223333, role: Dev}\n"
        "  a: {<<: *b, role: Admin}\n",
    )
    assert loaded.profile("a").role_arn == "arn:aws:iam::111122223333:role/Admin"


@pytest.mark.parametrize(
    ("environ", "extra", "region"),
    [
        ({}, "", "us-east-1"),
        ({"AWS_REGION": "eu-central-1"}, "", "eu-central-1"),
        ({}, ", role_arn: 'arn:aws-cn:iam::111122223333:role/x'", "cn-north-1"),
        ({}, ", region: eu-north-1", "eu-north-1"),
    ],
)
def test_where_the_region_comes_from(
    tmp_path: Path, environ: dict[str, str], extra: str, region: str
) -> None:
    loaded = config(tmp_path, HEAD + f"  a: {{provider: keys{extra}}}\n", **environ)
    assert loaded.profile("a").region == region


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("1h30m", 5400), ("2d", 172800), ("60", 60)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1x", "1h 30m", "-1h", "1.5h", "9" * 30])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_a_file_found_by_walking_up_must_be_trusted(tmp_path: Path) -> None:
    environ = {"AWSLOGIN_HOME": str(tmp_path / "home")}
    folder = tmp_path / "repo" / "src" / "deep"
    folder.mkdir(parents=True)
    with pytest.raises(NoConfig) as none:
        load(None, environ, folder)
    assert "version: 1" in none.value.hint
    (tmp_path / "repo" / "awslogin.yaml").write_text(HEAD + "  a: {provider: keys}\n")
    found = load(None, environ, folder)
    nobody_can_look = folder / ("x" * 300)  # as where a folder is closed to this user
    assert load(None, environ, nobody_can_look).path == found.path
    assert found.path == tmp_path / "repo" / "awslogin.yaml"
    with pytest.raises(AwsLoginError, match="trust") as untrusted:
        found.require_trust()
    assert untrusted.value.exit_code == 4
    assert "config trust" in untrusted.value.hint
