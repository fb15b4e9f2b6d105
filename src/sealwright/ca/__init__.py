"""The certification authority: issuers, templates, lint-gated issuance, revocation."""
