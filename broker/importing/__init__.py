"""What other tools' files say, as providers and profiles of our YAML. One file a tool.

A source reads its tool's files, runs nothing of them and changes none, and returns `Found`. Owns
the list of the sources; `merging` puts what one of them found into the YAML.
"""

from __future__ import annotations

from importlib import import_module

from broker.importing.found import Found, FoundProfile, LeftOut
from broker.importing.reading import Here

__all__ = ["SOURCES", "Found", "FoundProfile", "Here", "LeftOut", "look"]

SOURCES = {
    "aws-config": "aws_config",
    "aws-vault": "aws_vault",
    "saml2aws": "saml2aws",
    "aws-sso-cli": "aws_sso_cli",
    "granted": "granted",
    "gimme-aws-creds": "gimme_aws_creds",
    "okta-aws-cli": "okta_aws_cli",
    "aws-azure-login": "aws_azure_login",
    "atmos": "atmos",
}
"""Name of a source → its module in this package; each has `look(here)`."""


def look(source: str, here: Here) -> Found:
    """What a tool's files say; without `files` where the tool has none here.

    Raises:
        UsageError: A file is not one that the tool reads; it names file and line.
    """
    found: Found = import_module(f"{__name__}.{SOURCES[source]}").look(here)
    return found
