"""`login`, `env`, `creds`, `logout`: getting sessions and forgetting them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from broker import render
from broker.cli.app import FORMATS, App, command
from broker.cli.completion import profile_argument
from broker.cli.login_options import login_options, tag_pair
from broker.cli.narrowing import Narrowing, narrowing_options
from broker.cli.report import report
from broker.errors import AwsLoginError, ConfigError, UsageError, worst
from broker.nearest import nearest
from broker.settings import settings
from broker.warm import calling_shell

if TYPE_CHECKING:
    from broker.config import Profile
    from broker.login import SessionRequirements


@command(formats=FORMATS)
@profile_argument("profiles", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every profile of the config.")
@click.option("--tag", "tags", metavar="K=V", multiple=True, help="Profiles with this tag.")
@click.option("--all-regions", is_flag=True, help="Sign in in every Region of Identity Center.")
@login_options
def login(
    app: App,
    *,
    profiles: tuple[str, ...],
    every: bool,
    tags: tuple[str, ...],
    all_regions: bool,
    duration: int | None,
    requirements: SessionRequirements,
) -> int | None:
    """Get a session, from the cache when it is fresh, and print it."""
    from broker.sign_in import sign_in_everywhere

    _require_known(app)
    if every or tags or len(profiles) > 1:
        chosen = _chosen(app, profiles, tags, every=every, duration=duration)
        return _login_several(app, chosen, requirements, all_regions=all_regions)
    profile = app.profile(profiles[0] if profiles else None, duration)
    with app.naming(profile.name):
        ahead = sign_in_everywhere(app.broker, [profile], requirements) if all_regions else []
        session = app.session(profile, requirements)
        for failure in ahead:
            raise failure
    app.say_exactly(render.in_format(session, app.output, app.environ, profile))
    return None


def _require_known(app: App) -> None:
    """A first word that is neither a command nor a profile ends all, before anything is printed.

    Raises:
        ConfigError: So it is; the nearest command and profile are named.
    """
    root = click.get_current_context().find_root()
    word = root.obj
    if not word or word in app.config:
        return
    try:
        app.config.profile(word)
    except ConfigError as error:
        assert isinstance(root.command, click.Group)
        command = nearest(word, root.command.list_commands(root), cutoff=0.6)
        if command:
            profile = nearest(word, app.config.names)
            or_profile = f", or `awslogin {profile}`" if profile else ""
            error.hint = f"did you mean `awslogin {command}`{or_profile}?"
        raise


def _login_several(
    app: App,
    profiles: list[Profile | AwsLoginError],
    requirements: SessionRequirements,
    *,
    all_regions: bool,
) -> int:
    """All sessions on stdout, an error line each for those that failed, the worst one's code."""
    from broker.sign_in import sign_in_everywhere

    if app.output not in {"text", "json"}:
        raise UsageError(
            f"--output {app.output} takes one profile", hint="several are printed as text or json"
        )
    profiles = [_confirmed(app, profile) for profile in profiles]
    known = [profile for profile in profiles if not isinstance(profile, AwsLoginError)]
    ahead = sign_in_everywhere(app.broker, known, requirements) if all_regions else []
    outcomes = app.login.sessions(known, requirements)
    results = [outcomes[profile.name] for profile in known]
    sessions = [result for result in results if not isinstance(result, AwsLoginError)]
    failures = [p for p in profiles if isinstance(p, AwsLoginError)]
    failures += [*ahead, *(result for result in results if isinstance(result, AwsLoginError))]
    if app.output == "json":
        app.say_exactly(render.as_json(sessions) if sessions or not failures else "")
    else:
        asked = {profile.name: profile for profile in known}
        app.say("\n".join(render.text(session, asked.get(session.profile)) for session in sessions))
    for failure in failures:
        report(failure, machine=app.output == "json", one_of_several=True)
    return worst(failures) if failures else 0


def _confirmed(app: App, profile: Profile | AwsLoginError) -> Profile | AwsLoginError:
    """The profile, where its session may be handed out; else why not."""
    from broker.cli.confirming import is_confirmed

    if not isinstance(profile, AwsLoginError):
        try:
            is_confirmed(app, profile)
        except AwsLoginError as error:
            return error.for_profile(profile.name)
    return profile


def _chosen(
    app: App, names: tuple[str, ...], tags: tuple[str, ...], *, every: bool, duration: int | None
) -> list[Profile | AwsLoginError]:
    """The profiles that are named or tagged; one that is spoiled is its error."""
    wanted = [tag_pair(tag) for tag in tags]
    chosen: dict[str, Profile | AwsLoginError] = {}
    for name in app.config.names if every or wanted else names:
        try:
            profile = app.profile(name, duration)
        except AwsLoginError as error:
            error.profile = name
            if every or name in names:
                chosen[name] = error
            continue
        if every or name in names or all(profile.tags.get(key) == value for key, value in wanted):
            chosen[name] = profile
    for name in names:
        if name not in chosen:
            chosen[name] = app.profile(name, duration)
    if not chosen:
        raise UsageError(f"no profile has {' and '.join(tags) or 'a name'}", hint="`awslogin list`")
    return list(chosen.values())


@command(formats=FORMATS)
@profile_argument()
@click.option("--server", is_flag=True, help="The agent's endpoint, renewed, instead of keys.")
@narrowing_options
@login_options
def env(
    app: App,
    *,
    profile: str | None,
    server: bool,
    narrowing: Narrowing,
    duration: int | None,
    requirements: SessionRequirements,
) -> None:
    """Print the session for `eval` in the calling shell."""
    output = calling_shell() if app.output == "text" else app.output
    if output not in FORMATS:
        raise UsageError(
            f"{output} reads none of the formats for shells",
            hint="`--output json` gives its values; `awslogin shell PROFILE` a shell with them;"
            " others: env (sh, bash, zsh), fish, powershell, cmd, dotenv",
        )
    chosen = narrowing.of(app, app.profile(profile, duration))
    if server and narrowing:
        raise UsageError(
            "the agent renews no narrowed session",
            hint=f"`awslogin serve {chosen.name}` with the same options does",
        )
    if server and settings(app.environ).confirms(chosen.tags):
        raise UsageError(
            f"the agent holds no session of {chosen.name}: your settings have `agent_confirm`",
            hint=f"`awslogin serve {chosen.name}` serves it after asking you",
        )
    with app.naming(chosen.name):
        session = app.session(chosen, requirements)
        if server:
            endpoint = app.broker.agent.endpoint(app.broker.plugins.identity(chosen).session_id)
            app.say_exactly(render.served(session, endpoint, output))
            return
    app.say_exactly(render.in_format(session, output, app.environ))


@command(formats=FORMATS)
@profile_argument()
@login_options
def creds(
    app: App, *, profile: str | None, duration: int | None, requirements: SessionRequirements
) -> None:
    """Print `credential_process` JSON for the AWS SDKs."""
    chosen = app.profile(profile, duration)
    app.ui.stderr_is_a_programs(chosen.name)
    with app.naming(chosen.name):
        app.say_exactly(render.process(app.session(chosen, requirements)))


@command()
@profile_argument()
@click.option("--all", "every", is_flag=True, help="Every session and every sign-in.")
def logout(app: App, *, profile: str | None, every: bool) -> None:
    """Forget sessions and sign-ins; at Identity Center server-side too."""
    from broker import logout as forgetting
    from broker.cli.own_config import take_no_config_for_an_empty_one

    if every:
        take_no_config_for_an_empty_one(app)
        app.require_trust()
        count = forgetting.logout_all(app.idle_broker)
        document: dict[str, object] = {"forgotten": count}
    else:
        chosen = app.profile(profile)
        app.require_trust()
        with app.naming(chosen.name):
            count = forgetting.logout(app.idle_broker, chosen)
        document = {"profile": chosen.name, "forgotten": count}
    if app.output == "json":
        app.say_json(document)
    else:
        app.say(f"signed out; {count} session{'' if count == 1 else 's'} forgotten\n")
