"""`init`: the first set-up of a person, from nothing or from a team's config to a session.

What is asked is asked before anything is written; each question has an option.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from broker.cli.app import App, command
from broker.cli.change import read_config_again
from broker.config import NoConfig
from broker.config.loading import find
from broker.errors import AwsLoginError, InteractionRequired, UsageError
from broker.paths import config_dir, expanded, private_dir
from broker.ports import LaterHttp
from broker.ports.clock import Clock
from broker.ports.git import Repositories
from broker.ports.git_reference import Reference
from broker.ports.urls import require_safe
from broker.regions import REGION
from broker.warm import working_directory
from broker.whole_files import write_new

if TYPE_CHECKING:
    from broker.ports.http import HttpSession

_IDENTITY_CENTER = (
    *(".awsapps.com", ".awsapps.cn", ".app.aws", ".portal.amazonaws.com"),
    *(".portal.amazonaws.com.cn", ".portal.amazonaws.eu", ".api.amazonwebservices.eu"),
    *(".app.amazonwebservices.com.cn", "identitycenter.us-gov.amazonaws.com"),
    *(f"identitycenter.amazonaws.{end}" for end in ("com", "com.cn", "eu")),
)
_ENTRA = ("login.microsoftonline.com", "account.activedirectory.windowsazure.com")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*")


@dataclass(frozen=True)
class Answers:
    """What the first config is made of."""

    address: str
    region: str
    account: str
    role: str
    profile: str
    mfa_serial: str


@command()
@click.option(
    "--from", "source", metavar="URL|PATH", help="The team's config: a file, or git+https://…."
)
@click.option("--branch", help="Of the repository behind --from; its newest commit is pinned.")
@click.option("--address", help="Of the sign-in page; `keys` for an IAM user's own keys.")
@click.option("--region", help="Where Identity Center is, and the profiles' own.")
@click.option("--account", default="", help="Of the first profile: 12 digits.")
@click.option("--role", default="", help="Of the first profile.")
@click.option("--profile", "name", default="dev", help="The first profile's name (dev).")
@click.option("--mfa-serial", default="", help="Of the IAM user's MFA device.")
@click.option("--setup/--no-setup", "with_setup", default=None, help="Write ~/.aws/config too.")
@click.option("--login/--no-login", "with_login", default=True, help="Sign in at the end.")
@click.option("--yes", is_flag=True, help="Do not ask for consent.")
def init(app: App, *, with_setup: bool | None, with_login: bool, yes: bool, **options: Any) -> None:
    """Set up this machine: the team's config or a first one, trust, keys, doctor, a session."""
    path = _config_of(app, **options)
    consent = ["--yes"] if yes else []
    if yes or app.ui.interactive or not _stands_here(app, path):
        _run(app, "config", "trust", str(path), *consent)
        read_config_again(app)
    app.config.require_trust()
    app.note(f"the config is {path}")
    _discovered(app)
    _store_keys(app)
    if with_setup or (with_setup is None and app.ui.interactive):
        app.note("with a change to AWS's own file `aws --profile NAME` and every SDK sign in, too")
        _run(app, "setup", *consent)
    _run(app, "doctor", "--only-wrong")
    if with_login and app.config.names:
        _run(app, "login", *([] if app.config.default_profile else [app.config.names[0]]))


def _config_of(app: App, *, source: str | None, branch: str | None, **options: Any) -> Path:
    """The config that counts here, or a new one of the person's own."""
    own = config_dir(app.environ) / "config.yaml"
    try:
        there: Path | None = find(
            app.config_option, app.environ, Path(working_directory()), app.found_option
        )[0]
    except NoConfig:
        there = None
    if source:
        if own.exists():
            hint = f"add {source} to its `extends`"
            if _repository_or_path(source) in own.read_text(errors="replace"):
                hint = "it extends that: `awslogin init` goes on from there"
            raise UsageError(f"{own} is there already", hint=hint)
        return _written(own, _extending(app, source, branch))
    if there:
        return there
    return _written(own, _first(app, _answers(app, **options)))


def _repository_or_path(source: str) -> str:
    """What `extends` names, whatever the commit and file."""
    if not source.startswith("git+"):
        return str(expanded(source).absolute())
    address = source.partition("#")[0]
    return address.rpartition("@")[0] if "@" in address.rpartition("/")[2] else address


def _extending(app: App, source: str, branch: str | None) -> str:
    """A config of two lines that takes the team's."""
    if not source.startswith("git+"):
        path = expanded(source).absolute()
        if not path.is_file():
            raise UsageError(f"{path}: no such file", hint="a path, or git+https://…#FILE")
        return f'version: 1\nextends: ["{path}"]\n'
    text = source if "#" in source else f"{source}#awslogin.yaml"
    address, _, file = text.partition("#")
    pinned = "@" in address.rpartition("/")[2]
    reference = Reference.parse(text if pinned else f"{address}@HEAD#{file}")
    if reference is None:
        raise UsageError(f"{source} is no address of a git repository", hint="git+https://…#FILE")
    repositories = Repositories(app.environ)
    wanted = branch or (reference.revision if pinned else None)
    if not reference.is_pinned:
        reference = reference.at(repositories.newest(reference, wanted))
    repositories.fetch(reference)  # the person has named it
    comment = f"  # {wanted}" if wanted and wanted != reference.revision else ""
    return f'version: 1\nextends:\n  - "{reference}"{comment}\n'


def _answers(app: App, **given: Any) -> Answers:
    """The options, and the answers to what they leave open.

    Raises:
        InteractionRequired: Something is open, and nobody can be asked.
    """
    ask = app.ui.ask if app.ui.interactive else _nobody
    address = given["address"] or ask("Address of your team's sign-in page (or `keys`)")
    region = given["region"] or _region_in(address) or ask("Region (such as eu-west-1)")
    if not re.fullmatch(REGION, region):
        raise UsageError(f"{region!r} is no region", hint="such as eu-west-1")
    if not _NAME.fullmatch(given["name"]):
        raise UsageError(f"{given['name']!r} is no profile's name", hint="letters and digits")
    account, role = given["account"], given["role"]
    if address != "keys":
        require_safe(address)
        if not _is_identity_center(address):
            account = account or ask("Account id (12 digits)")
            role = role or ask("Role")
    return Answers(address, region, account, role, given["name"], given["mfa_serial"])


def _nobody(question: str) -> str:
    option = "--" + question.split(maxsplit=1)[0].lower()
    raise InteractionRequired(f"{question} is not known", hint=f"{option}, or run it on a terminal")


def _first(app: App, answers: Answers) -> str:
    """The text of a first config."""
    head = f"version: 1\ndefaults: {{region: {answers.region}}}\n"
    role = f'account: "{answers.account}", role: {answers.role}' if answers.role else ""
    if answers.address == "keys":
        serial = f', mfa_serial: "{answers.mfa_serial}"' if answers.mfa_serial else ""
        entry = f"provider: keys{serial}"
        return (
            f"{head}default_profile: {answers.profile}\nproviders:\n  keys: {{type: static}}\n"
            f"profiles:\n  {answers.profile}: {{{entry}}}\n"
        )
    if _is_identity_center(answers.address):
        provider = (
            f'type: identity-center, start_url: "{answers.address}", region: {answers.region}'
        )
    else:
        provider = _saml(app, answers.address)
    profiles = "profiles: {}\n"
    if role:
        profiles = (
            f"default_profile: {answers.profile}\n"
            f"profiles:\n  {answers.profile}: {{provider: corp, {role}}}\n"
        )
    return f"{head}providers:\n  corp: {{{provider}}}\n{profiles}"


def _saml(app: App, address: str) -> str:
    """The provider of a SAML sign-in page, by what its host says of itself."""
    host = urlsplit(address).hostname or ""
    if host in _ENTRA:
        return f'type: saml, idp: entra, url: "{address}"'
    if _is_okta(LaterHttp(Clock(), app.environ, lambda: None).session(), address):
        return f'type: saml, idp: okta, url: "{address}"'
    idp = "keycloak" if "/realms/" in address else "adfs" if "/adfs/" in address else "auto"
    return f'type: saml, idp: {idp}, url: "{address}"'


def _is_okta(session: HttpSession, address: str) -> bool:
    parts = urlsplit(address)
    try:
        page = f"{parts.scheme}://{parts.netloc}/.well-known/okta-organization"
        reply = session.get(page, follow=False)
        return reply.status == 200 and "pipeline" in reply.json()
    except (AwsLoginError, TypeError):
        return False


def _is_identity_center(address: str) -> bool:
    parts = urlsplit(address)
    return (parts.hostname or "").endswith(_IDENTITY_CENTER) or parts.path.rstrip("/") == "/start"


def _region_in(address: str) -> str | None:
    labels = (urlsplit(address).hostname or "").split(".")
    return next((label for label in labels[1:] if re.fullmatch(REGION, label)), None)


def _written(path: Path, text: str) -> Path:
    private_dir(path.parent)
    write_new(path, text.encode())
    return path


def _discovered(app: App) -> None:
    """Profiles for a config that has none yet: those that its one provider's sign-in reaches."""
    names = app.config.provider_names
    if app.config.names or len(names) != 1 or not app.ui.interactive:
        return
    _run(app, "discover", names[0], "--write")
    read_config_again(app)


def _store_keys(app: App) -> None:
    """Offer to add the keys of the default profile, where it holds some and none are there."""
    from broker.provider import KeyHolder

    name = app.config.default_profile
    if not name or not app.ui.interactive:
        return
    profile = app.config.profile(name)
    holder = app.broker.plugins.provider_of(profile)
    if (
        isinstance(holder, KeyHolder)
        and profile.keys_profile == name
        and not holder.held_keys(name)
    ):
        _run(app, "add", name)


def _stands_here(app: App, path: Path) -> bool:
    """Whether a file was found, not made by this command: no option says that it is trusted."""
    return path != config_dir(app.environ) / "config.yaml"


def _run(app: App, *arguments: str) -> None:
    """Run another command of ours, as if it were typed with the options of this one."""
    places = {"--config": app.config_option, "--found": app.found_option}
    switches = {"--no-input": app.no_input, "--no-browser": app.no_browser, "--quiet": app.quiet}
    options = [word for name, value in places.items() if value for word in (name, value)]
    options += [name for name, is_on in switches.items() if is_on]
    root: Any = click.get_current_context().find_root().command
    with root.make_context("awslogin", [*options, *arguments]) as context:
        root.invoke(context)
