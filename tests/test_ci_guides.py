"""The guides: each config loads, each command exists, each link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from broker.cli.main import COMMANDS
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
        "github-actions", "gitlab", "jenkins", "kubernetes", "container", "web-identity",
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
