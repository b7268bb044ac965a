"""AWS's own `aws login`, the console's sign-in."""

from providers.aws_login.provider import AwsLogin

__all__ = ["AwsLogin"]
