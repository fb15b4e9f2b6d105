"""The domain statement: issued by the online key, delegated by the offline root, one sequence number after the other."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from sealwright.clock import Clock
from sealwright.errors import AuthenticationError, ConflictError, UnavailableError
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.protocol import ServiceKeystore
from sealwright.server import store
from sealwright.storage.engine import Storage, Transaction
from sealwright.wire.encoding import sha256
from sealwright.wire.statement import (
    MAX_DELEGATION,
    DomainStatement,
    Invitation,
    MailServer,
    SignedStatement,
    StatementDelegation,
    delegation_signature_input,
    statement_signature_input,
)

STATEMENT_VALIDITY = timedelta(days=14)
STATEMENT_RENEWAL = timedelta(days=7)
"""A statement with less than this left is issued anew."""
BACKDATED = timedelta(minutes=5)
"""Clocks differ."""


@dataclass(frozen=True, slots=True)
class StatementContent:
    """What a statement says besides sequence and times; see `wire.statement.DomainStatement`."""

    domain: str
    organization_id: str
    organization_name: str
    endpoints: tuple[str, ...]
    tls_anchors: tuple[bytes, ...]
    smime_anchors: tuple[bytes, ...]
    release_key: bytes
    log_origin: str
    log_key: bytes
    report_key: bytes
    witness_keys: tuple[bytes, ...]
    witness_quorum: int
    imap: MailServer | None
    submission: MailServer | None
    file_sent_mail: bool


class StatementIssuer:
    """Keeps the organization's statement fresh. Safe from any thread.

    Args:
        storage: The database.
        keystore: Holds the online statement key.
        clock: The time.
        key: Sealed record of the online statement key.
        content: What to say.
    """

    def __init__(
        self, storage: Storage, keystore: ServiceKeystore, clock: Clock, key: SealedRecord, content: StatementContent
    ) -> None:
        self._storage, self._keystore, self._clock = storage, keystore, clock
        self._key, self._content = key, content

    def current(self) -> SignedStatement:
        """Return the newest statement; issue the next one if it runs out or says something else than the settings.

        Raises:
            UnavailableError: If the delegation of the online key has run out.
        """
        organization_id = self._content.organization_id
        with self._storage.read(organization_id) as tx:
            newest = store.newest_statement(tx, organization_id)
            payload, signature, root_key, not_after = self._delegation(tx)
        if newest is not None and self._is_fresh(newest[0], newest[1]):
            return SignedStatement(
                payload=newest[1],
                signature=newest[2],
                delegation=payload,
                delegation_signature=signature,
                root_key=root_key,
            )
        if self._clock.now() > not_after:
            raise UnavailableError("the delegation of the statement key has run out: renew it with the offline root")
        return self._issue(newest)

    def delegation_ends(self) -> datetime:
        """Return when the delegation of the online key ends."""
        with self._storage.read(self._content.organization_id) as tx:
            return self._delegation(tx)[3]

    def invitation(self) -> Invitation:
        """Return the invitation file's content."""
        with self._storage.read(self._content.organization_id) as tx:
            root_key = self._delegation(tx)[2]
        return Invitation(
            version=1,
            domain=self._content.domain,
            organization_name=self._content.organization_name,
            endpoints=self._content.endpoints,
            tls_anchors=self._content.tls_anchors,
            statement_root_sha256=sha256(root_key).hex(),
        )

    def _issue(self, newest: tuple[int, bytes, bytes] | None) -> SignedStatement:
        now = self._clock.now().replace(microsecond=0)
        sequence = 1 if newest is None else newest[0] + 1
        content = {name: getattr(self._content, name) for name in StatementContent.__slots__}
        statement = DomainStatement(
            version=1,
            sequence=sequence,
            issued=now,
            expires=now + STATEMENT_VALIDITY,
            previous_hash=b"" if newest is None else sha256(newest[1]),
            **content,
        )
        payload = msgspec.json.encode(statement)
        signature = self._keystore.sign(self._key, "ed25519", statement_signature_input(payload))
        organization_id = self._content.organization_id
        try:
            with self._storage.transaction(organization_id) as tx:
                delegation, delegation_signature, root_key, _ = self._delegation(tx)
                signed = SignedStatement(
                    payload=payload,
                    signature=signature,
                    delegation=delegation,
                    delegation_signature=delegation_signature,
                    root_key=root_key,
                )
                store.add_statement(tx, organization_id, sequence, statement.expires, signed)
        except ConflictError:
            # somebody else issued this number; theirs is as good
            return self.current()
        return signed

    def _is_fresh(self, sequence: int, payload: bytes) -> bool:
        statement = msgspec.json.decode(payload, type=DomainStatement)
        said = {name: getattr(statement, name) for name in StatementContent.__slots__}
        wanted = {name: getattr(self._content, name) for name in StatementContent.__slots__}
        if statement.sequence != sequence:  # a restore raised the number
            return False
        return said == wanted and statement.expires - self._clock.now() > STATEMENT_RENEWAL

    def _delegation(self, tx: Transaction) -> tuple[bytes, bytes, bytes, datetime]:
        found = store.newest_delegation(tx, self._content.organization_id)
        if found is None:
            raise UnavailableError("the statement key has no delegation: renew it with the offline root")
        return found


def make_root(passphrase: str) -> tuple[bytes, ed25519.Ed25519PrivateKey]:
    """Make an offline statement root.

    Returns:
        PKCS#8 PEM encrypted under the passphrase, and the key itself for the first delegation.
    """
    root = ed25519.Ed25519PrivateKey.generate()
    pem = root.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode("utf-8")))
    return pem, root


def open_root(pem: bytes, passphrase: str) -> ed25519.Ed25519PrivateKey:
    """Open an offline statement root.

    Raises:
        AuthenticationError: If the passphrase is wrong or the file is no such root.
    """
    try:
        root = load_pem_private_key(pem, passphrase.encode("utf-8"))
    except (ValueError, TypeError) as error:
        raise AuthenticationError("the statement root cannot be opened with this passphrase") from error
    if not isinstance(root, ed25519.Ed25519PrivateKey):
        raise AuthenticationError("the file holds no statement root")
    return root


def delegate(
    tx: Transaction,
    organization_id: str,
    domain: str,
    root: ed25519.Ed25519PrivateKey,
    key: SealedRecord,
    now: datetime,
) -> datetime:
    """Delegate the online statement key for 90 days.

    Returns:
        When the delegation ends.
    """
    not_before = now.replace(microsecond=0) - BACKDATED
    delegation = StatementDelegation(
        domain=domain, statement_key=key.spki[-32:], not_before=not_before, not_after=not_before + MAX_DELEGATION
    )
    payload = msgspec.json.encode(delegation)
    signature = root.sign(delegation_signature_input(payload))
    root_key = root.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    store.add_delegation(tx, organization_id, delegation.not_after, payload, signature, root_key)
    return delegation.not_after
