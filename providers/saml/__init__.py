"""SAML identity providers: sign-in pages, assertions, roles."""
