"""AWS as identity providers know it: a service provider's names, and the sandbox's accounts.

Source: IAM User Guide, "Configure SAML assertions for the authentication response".
"""

AUDIENCE = "urn:amazon:webservices"
ACS = "https://signin.aws.amazon.com/saml"
ATTRIBUTE = "https://aws.amazon.com/SAML/Attributes/"
TOKEN_AUDIENCE = "sts.amazonaws.com"

ACCOUNT = "444455556666"
SAML_PROVIDER = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
ADMIN = f"arn:aws:iam::{ACCOUNT}:role/Admin,{SAML_PROVIDER}"
READ_ONLY = f"arn:aws:iam::{ACCOUNT}:role/ReadOnly,{SAML_PROVIDER}"
