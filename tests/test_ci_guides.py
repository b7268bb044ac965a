"""The guides: each config loads, each command exists, each link leads somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from broker.cli.main import COMMANDS
from tests import organization
from tests.sandbox import Sandbox
from tests.support import Home

DOCS = Path(__file__).parent.parent / "docs"
GUIDES = sorted([*(DOCS / "ci").glob("*.md"), DOCS / "providers" / "web-identity.md"])


def name(path: Path) -> str:
    return path.stem


def configs(guide: Path) -> list[str]:
    """The awslogin.yaml blocks of a guide."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", guide.read_text(), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if block.startswith("version: 1\n")]


def test_there_is_a_guide_for_each() -> None:
    assert {guide.stem for guide in GUIDES} >= {
        "github-actions", "gitlab", "jenkins", "kubernetes", "container", "web-identity", "report",
    }  # fmt: skip


@pytest.mark.parametrize("guide", GUIDES, ids=name)
def test_its_config_loads(guide: Path, home: Home) -> None:
    (text,) = configs(guide)
    home.config(text)
    checked = home.run("config", "check", "--output", "json").ok()
    assert checked.json["ok"] is True
    listed = home.run("list", "--output", "json").ok().json
    assert [row["profile"] for row in listed] == list(yaml.safe_load(text)["profiles"])


@pytest.mark.parametrize("guide", GUIDES, ids=name)
def test_its_commands_and_links_exist(guide: Path) -> None:
    text = guide.read_text()
    profiles = set(yaml.safe_load(configs(guide)[0])["profiles"])
    used = set(re.findall(r"(?<![./\w-])awslogin ([a-z][a-z-]*)(?= )", _code(text)))
    assert used <= {*COMMANDS, *profiles}
    links = re.findall(r"\]\((?!https:)([^)#]+)\)", text)
    assert all((guide.parent / link).exists() for link in links)
    others = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert all(yaml.safe_load(block) for block in others)


def _code(text: str) -> str:
    fenced = re.findall(r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return "\n".join([*fenced, *re.findall(r"^    .*$", text, re.MULTILINE)])


TOKENS = {
    "gitlab": lambda token: {"GITLAB_CI": "true", "AWS_OIDC_TOKEN": token},
    "jenkins": lambda token: {"AWS_OIDC_TOKEN": token},
}


def test_the_report_runs_as_both_jobs_say(
    signed_up: Home, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Each job's own command, with the guide's config: exit 9, and 0 with what it found before."""
    arn = "arn:aws:iam::111122223333:role/Deploy"
    sandbox.world.add_role(arn, "arn:aws:iam::111122223333:oidc-provider/ci")
    text = (DOCS / "ci/report.md").read_text()
    signed_up.config(*configs(DOCS / "ci/report.md"))
    organization.written(tmp_path / "bucket", events=10)
    sandbox.s3.folder = tmp_path / "bucket"
    token = {"GITLAB_CI": "true", "AWS_OIDC_TOKEN": sandbox.issuer.token(), "CI": "true"}
    commands = re.findall(r"awslogin (report [^`#]+?baseline[. ][^`#]*?json)\n", text)
    first, *jobs = [shlex.split(command) for command in commands]
    assert len(jobs) == 2
    for words in (first, *jobs):
        words[words.index("--cloudtrail") + 1] = "s3://trails/AWSLogs/o-org"
        words[words.index("--days") + 1] = "90"
    work = signed_up.work
    (work / "baseline.json").write_text('{"findings": []}')
    for words in jobs:
        assert signed_up.run(*words, env=token, cwd=work).code == 9
    signed_up.run(*first, env=token, cwd=work).ok()
    for words in jobs:
        signed_up.run(*words, env=token, cwd=work).ok()
        assert (work / words[words.index("--out") + 1]).stat().st_size > 1000


@pytest.mark.parametrize("guide", ["gitlab", "jenkins", "github-actions", "kubernetes"])
def test_a_job_signs_in_with_it(guide: str, signed_up: Home, sandbox: Sandbox) -> None:
    """With the guide's config as it stands, but for the path of the token's file."""
    role = "App" if guide == "kubernetes" else "Deploy"
    arn = f"arn:aws:iam::111122223333:role/{role}"
    sandbox.world.add_role(arn, "arn:aws:iam::111122223333:oidc-provider/ci")
    token = sandbox.issuer.token()
    file = signed_up.folder / "token"
    file.write_text(token)
    (text,) = configs(DOCS / "ci" / f"{guide}.md")
    signed_up.config(text.replace("/var/run/secrets/aws/token", str(file)))
    env = {
        "CI": "true",
        "AWSLOGIN_PASSPHRASE": None,
        "AWSLOGIN_KEYRING": None,
        **TOKENS.get(guide, lambda _: {})(token),
    }
    if guide == "github-actions":
        env |= {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{sandbox.issuer.url}/token?x=1",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": sandbox.issuer.request_secret,
            "GITHUB_ENV": str(signed_up.folder / "env"),
        }
        masks = signed_up.run("deploy", "--output", "github", env=env).ok().out.splitlines()
        assert len(masks) == 3
        values = (signed_up.folder / "env").read_text()
        assert all(mask.removeprefix("::add-mask::") in values for mask in masks)
        return
    done = signed_up.run("whoami", role.lower(), "--output", "json", env=env).ok()
    assert f":assumed-role/{role}/" in done.json["arn"]
