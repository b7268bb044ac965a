"""`shell-init`: a function `awsl` that sets a session in the calling shell, and a prompt."""

from __future__ import annotations

import click

from broker.cli.app import App, command

SET = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCOUNT_ID",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWSLOGIN_PROFILE",
)
"""What `awsl --off` takes away."""

_SH = """\
# awsl PROFILE sets its session in this shell, `awsl -` that of before, `awsl --off` takes it away.
awsl() {
  local text before="${AWSLOGIN_PROFILE-}"
  case "${1-}" in
    --off) unset @SET@; AWSL_BEFORE="$before"; return 0 ;;
    -)
      [ -n "${AWSL_BEFORE-}" ] || { echo "awsl: no profile before this one" >&2; return 1; }
      shift; set -- "$AWSL_BEFORE" "$@" ;;
  esac
  text="$(command awslogin env --output env "$@")" || return
  eval "$text" && AWSL_BEFORE="$before"
}
# In your prompt: $(awsl_prompt)
awsl_prompt() { [ -z "${AWSLOGIN_PROFILE-}" ] || printf '[%s] ' "$AWSLOGIN_PROFILE"; }
"""
_FISH = """\
# awsl PROFILE sets its session in this shell, `awsl -` that of before, `awsl --off` takes it away.
function awsl
    set -l before $AWSLOGIN_PROFILE
    switch "$argv[1]"
        case --off
            set -e @SET@
            set -g AWSL_BEFORE $before
            return 0
        case -
            if test -z "$AWSL_BEFORE"
                echo "awsl: there is no profile before this one" >&2
                return 1
            end
            set argv[1] $AWSL_BEFORE
    end
    set -l text (command awslogin env --output fish $argv)
    or return
    string join \\n -- $text | source
    set -g AWSL_BEFORE $before
end
# In your fish_prompt: awsl_prompt
function awsl_prompt
    test -z "$AWSLOGIN_PROFILE"; or echo -n "[$AWSLOGIN_PROFILE] "
end
"""
_POWERSHELL = """\
# awsl PROFILE sets its session in this shell, `awsl -` that of before, `awsl --off` takes it away.
function awsl {
    $before = $Env:AWSLOGIN_PROFILE
    if ($args[0] -eq '--off') {
        foreach ($name in '@SET@'.Split(' ')) { Remove-Item "Env:$name" -ErrorAction Ignore }
        $global:AWSL_BEFORE = $before
        return
    }
    if ($args[0] -eq '-') {
        if (-not $global:AWSL_BEFORE) { Write-Error 'there is no profile before this one'; return }
        $args[0] = $global:AWSL_BEFORE
    }
    $text = & (Get-Command awslogin -CommandType Application)[0] env --output powershell @args
    if ($LASTEXITCODE -ne 0) { return }
    $text | Out-String | Invoke-Expression
    $global:AWSL_BEFORE = $before
}
# In your prompt function: "$(awsl_prompt)"
function awsl_prompt { if ($Env:AWSLOGIN_PROFILE) { "[$Env:AWSLOGIN_PROFILE] " } }
"""
FUNCTIONS = {"bash": _SH, "zsh": _SH, "fish": _FISH, "powershell": _POWERSHELL}


@command("shell-init")
@click.argument("shell", type=click.Choice(list(FUNCTIONS)))
def shell_init(app: App, *, shell: str) -> None:
    """Print the function `awsl` for SHELL, which sets a session in the calling shell."""
    script = FUNCTIONS[shell].replace("@SET@", " ".join(SET))
    if app.output == "json":
        app.say_json({"shell": shell, "script": script})
    else:
        app.say_exactly(script)
