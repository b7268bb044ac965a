"""One file a kind of identity provider; `providers.saml.kinds` lists them."""
