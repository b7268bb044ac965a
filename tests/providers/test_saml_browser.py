"""`idp: browser` without a browser: its options, its addresses, its page in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from broker.errors import ConfigError
from broker.ports import browser, browser_process
from broker.testing import make_ports
from providers.saml.credentials import Person
from providers.saml.idps.browser import BrowserIdp
from providers.saml.options import SamlOptions
from tests.configs import config
from tests.support import Home

DOCS = Path(__file__).parents[2] / "docs/providers/browser.md"


def idp(environ: dict[str, str]) -> BrowserIdp:
    options = SamlOptions.model_validate({"idp": "browser", "url": "https://sso.corp.example/aws"})
    ports = make_ports(environ)
    return BrowserIdp(options, ports, Person(ports, None, remember=False, sites=()))


@pytest.mark.parametrize(
    ("address", "is_aws"),
    [
        ("https://signin.aws.amazon.com/saml", True),
        ("http://signin.aws.amazon.com/saml", True),
        ("https://signin.aws.amazon.com/saml?a=b", True),
        ("https://signin.aws.amazon.com/saml/acs/SAMLSP1", True),
        ("https://ap-southeast-2.signin.aws.amazon.com/saml", True),
        ("https://cn-north-1.signin.amazonaws.cn/saml", True),
        ("https://signin.amazonaws-us-gov.com/saml", True),
        ("https://signin.amazonaws-eusc.eu/saml", True),
        ("https://signin.example/prefix/saml", True),
        ("https://signin.example/saml", False),
        ("https://a.b.signin.aws.amazon.com/saml", False),
        ("https://signin.aws.amazon.com:8443/saml", False),
        ("https://user@signin.aws.amazon.com/saml", False),
        ("https://signin-aws.amazon.com/saml", False),
        ("https://signin.aws.amazon.com/oauth", False),
    ],
)
def test_where_a_response_is_caught(address: str, is_aws: bool) -> None:
    sites = idp({"AWS_ENDPOINT_URL_SIGNIN": "https://signin.example/prefix/"})._sites()
    assert bool(browser_process.among(sites)(address)) is is_aws


def test_playwright_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError) as failed:
        idp({}).response()
    assert failed.value.exit_code == 2
    assert "pip install 'awslogin[browser]'" in failed.value.hint


def test_an_executable_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("bin", "work"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "my-browser").touch(mode=0o755)
    monkeypatch.chdir(tmp_path / "work")
    found = browser.Browser({"PATH": f"{tmp_path}/bin"})._program(None, "my-browser")
    assert found == f"{tmp_path}/bin/my-browser"
    with pytest.raises(ConfigError, match="not a program"):
        browser.Browser({"PATH": f"{tmp_path}/none"})._program(None, "my-browser")


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "proxy:3128"}, {"server": "http://proxy:3128", "bypass": ""}),
        (
            {
                "https_proxy": "https://ann:p%40ss@proxy:1",
                "NO_PROXY": "corp.example, .lan,10.0.0.1",
            },
            {
                "server": "https://proxy:1",
                "bypass": "corp.example,.lan,10.0.0.1,*.corp.example,*.lan,*.10.0.0.1",
                "username": "ann",
                "password": "p@ss",
            },
        ),
        (
            {"ALL_PROXY": "socks5://proxy", "NO_PROXY": "*"},
            {"server": "socks5://proxy", "bypass": "*"},
        ),
    ],
)
def test_the_proxy_of_the_environment(
    environ: dict[str, str], proxy: dict[str, str] | None
) -> None:
    assert browser._proxy(environ) == proxy


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("browser: firefox", "browser"),
        ("headless: maybe", "headless"),
        ("executable: bin/chromium", "full path"),
        ("fields: {username: '#u'}", "fields"),
    ],
)
def test_options_are_checked(home: Home, option: str, says: str) -> None:
    corp = f'type: saml, idp: browser, url: "https://sso.corp.example/aws", {option}'
    home.config(config(providers={"corp": corp}, prod="provider: corp"))
    done = home.run("config", "check")
    assert done.code == 2
    assert says in done.out


def test_the_page_in_the_docs_is_right(home: Home) -> None:
    text = DOCS.read_text()
    (config,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert yaml.safe_load(config)["providers"]["corp"]["idp"] == "browser"
    home.config(config)
    home.run("config", "check").ok()
    named = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert named == {"url", "browser", "executable", "headless"}
