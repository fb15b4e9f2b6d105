"""A statement root with one delegated key, for tests of discovery."""

from datetime import UTC, datetime, timedelta

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519

from sealwright.wire import statement as statements

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Signer:
    """A statement root with one delegated key."""

    def __init__(self):
        self.root, self.online = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
        self.root_key = self.root.public_key().public_bytes_raw()

    def sign(
        self, *, domain="example.test", delegated="example.test", days=90, expires=NOW + timedelta(days=7), sequence=3
    ):
        delegation = msgspec.json.encode(
            statements.StatementDelegation(
                domain=delegated,
                statement_key=self.online.public_key().public_bytes_raw(),
                not_before=NOW - timedelta(days=1),
                not_after=NOW - timedelta(days=1) + timedelta(days=days),
            )
        )
        payload = msgspec.json.encode(
            statements.DomainStatement(
                version=1,
                domain=domain,
                organization_id="a" * 32,
                organization_name="Example GmbH",
                sequence=sequence,
                issued=NOW,
                expires=expires,
                previous_hash=b"",
                endpoints=("https://127.0.0.1:8443",),
                tls_anchors=(),
                smime_anchors=(),
                release_key=bytes(32),
                log_origin="log",
                log_key=bytes(32),
            )
        )
        return statements.SignedStatement(
            payload=payload,
            signature=self.online.sign(statements.statement_signature_input(payload)),
            delegation=delegation,
            delegation_signature=self.root.sign(statements.delegation_signature_input(delegation)),
            root_key=self.root_key,
        )
