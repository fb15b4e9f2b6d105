"""Discovery's signed objects: the domain statement, the delegation of the key that signs it, and the invitation file.

A domain statement tells a client everything that it must trust about an organization's server. It is signed by an online
statement key; an offline statement root delegates that key for at most 90 days; the client knows the root's SHA-256 from
an invitation or a device-management file. All signatures are Ed25519 over `encode_fields(purpose, 1, payload)`.
"""

from datetime import datetime, timedelta
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from msgspec import Struct

from sealwright.errors import DecodingError, InvalidSignatureError, VerificationError
from sealwright.wire.encoding import AwareDatetime, decode_json, encode_fields, sha256

MAX_DELEGATION = timedelta(days=90)
MAX_STATEMENT_BYTES = 256 * 1024
"""Two nodes, a handful of anchors and log keys stay far below this."""
STATEMENT_PURPOSE = "sealwright domain statement"
DELEGATION_PURPOSE = "sealwright statement delegation"


class MailServer(Struct, frozen=True, kw_only=True):
    """One mail server of the organization.

    Attributes:
        host: DNS name or IP address.
        port: TCP port.
        security: "tls" (from the first octet) or "starttls".
        authentication: Ways to log in, best first: "password", "xoauth2".
    """

    host: str
    port: int
    security: str
    authentication: tuple[str, ...] = ("password",)


class DomainStatement(Struct, frozen=True, kw_only=True):
    """What an organization says about itself.

    Attributes:
        version: 1.
        domain: A-label, lower case.
        organization_id: 32 hex digits.
        organization_name: For people.
        sequence: Grows by one with each statement; a client refuses a lower one.
        issued: Aware UTC.
        expires: Aware UTC.
        previous_hash: SHA-256 of the previous statement's payload; empty for the first.
        endpoints: Base URLs of all nodes, https, without a slash at the end.
        tls_anchors: DER certificates that may vouch for the endpoints and mail servers, besides the system's own.
        smime_anchors: DER root certificates; count for this organization's own domains only.
        release_key: Raw Ed25519 public key that signs release manifests.
        log_origin: Origin line of the log's checkpoints.
        log_key: Raw Ed25519 public key that signs checkpoints.
        report_key: Raw Ed25519 public key that signs daily reports.
        witness_keys: Raw Ed25519 public keys of witnesses that cosign checkpoints; may be empty.
        witness_quorum: How many of them must have, lately; 0 where there are none.
        imap: Where mailboxes are read, or None.
        submission: Where mail is submitted, or None.
        file_sent_mail: Devices put a copy of what is sent into the sender's folder for sent mail.
    """

    version: int
    domain: str
    organization_id: str
    organization_name: str
    sequence: int
    issued: AwareDatetime
    expires: AwareDatetime
    previous_hash: bytes
    endpoints: tuple[str, ...]
    tls_anchors: tuple[bytes, ...]
    smime_anchors: tuple[bytes, ...]
    release_key: bytes
    log_origin: str
    log_key: bytes
    report_key: bytes = b""
    witness_keys: tuple[bytes, ...] = ()
    witness_quorum: int = 0
    imap: MailServer | None = None
    submission: MailServer | None = None
    file_sent_mail: bool = True


class StatementDelegation(Struct, frozen=True, kw_only=True):
    """The statement root's word for an online statement key.

    Attributes:
        domain: The one domain it may speak for.
        statement_key: Raw Ed25519 public key.
        not_before: Aware UTC.
        not_after: Aware UTC, at most 90 days later.
    """

    domain: str
    statement_key: bytes
    not_before: AwareDatetime
    not_after: AwareDatetime


class SignedStatement(Struct, frozen=True, kw_only=True):
    """A domain statement as it travels; payloads are the exact JSON bytes that were signed."""

    payload: bytes
    signature: bytes
    delegation: bytes
    delegation_signature: bytes
    root_key: bytes


class Invitation(Struct, frozen=True, kw_only=True):
    """The file that makes a device trust an organization: handed over by an administrator or a device-management system.

    Attributes:
        version: 1.
        domain: The organization's domain.
        organization_name: For people.
        endpoints: Where to fetch the statement.
        tls_anchors: DER certificates that vouch for those endpoints.
        statement_root_sha256: SHA-256 of the raw Ed25519 statement root key, in hex.
    """

    version: int
    domain: str
    organization_name: str
    endpoints: tuple[str, ...]
    tls_anchors: tuple[bytes, ...]
    statement_root_sha256: str


def statement_signature_input(payload: bytes) -> bytes:
    """Return the bytes that the online statement key signs."""
    return encode_fields(STATEMENT_PURPOSE, 1, payload)


def delegation_signature_input(payload: bytes) -> bytes:
    """Return the bytes that the statement root signs."""
    return encode_fields(DELEGATION_PURPOSE, 1, payload)


def verify_statement(
    signed: SignedStatement, statement_root_sha256: bytes, domain: str, now: datetime, lowest_sequence: int = 0
) -> DomainStatement:
    """Verify a statement from the pinned root down and return what it says.

    Args:
        signed: As received.
        statement_root_sha256: The pinned SHA-256 of the root key.
        domain: Whose statement was asked for.
        now: Aware UTC.
        lowest_sequence: The highest sequence this client has seen; a lower one is a roll-back.

    Raises:
        InvalidSignatureError: If the root, the delegation's or the statement's signature is not right.
        VerificationError: If delegation or statement are for another domain, not valid now, or rolled back.
        DecodingError: If a payload is not what it should be.
    """
    # 1 The root is the pinned one.
    if sha256(signed.root_key) != statement_root_sha256:
        raise InvalidSignatureError(f"the statement of {domain} comes from another root than the invitation names")
    # 2 The root delegated the online key, for this domain, for at most 90 days, and now lies within them.
    _verify_ed25519(signed.root_key, signed.delegation_signature, delegation_signature_input(signed.delegation))
    delegation = _decode(signed.delegation, StatementDelegation)
    if delegation.domain != domain:
        raise VerificationError(f"the statement key is delegated for {delegation.domain}, not for {domain}")
    if delegation.not_after - delegation.not_before > MAX_DELEGATION:
        raise VerificationError("the statement key is delegated for more than 90 days")
    if not delegation.not_before <= now <= delegation.not_after:
        raise VerificationError(
            f"the delegation of the statement key of {domain} is not valid now: "
            "check this device's clock, or ask the administrator to renew it"
        )
    # 3 The online key signed the statement, for this domain; it is valid now and not rolled back.
    _verify_ed25519(delegation.statement_key, signed.signature, statement_signature_input(signed.payload))
    statement = _decode(signed.payload, DomainStatement)
    if statement.version != 1 or statement.domain != domain:
        raise VerificationError(f"the statement speaks for {statement.domain}, not for {domain}")
    if not statement.issued - timedelta(minutes=5) <= now <= statement.expires:
        raise VerificationError(f"the statement of {domain} is not valid now: check this device's clock")
    if statement.sequence < lowest_sequence:
        raise VerificationError(f"the statement of {domain} is older than one seen before")
    return statement


def _verify_ed25519(public_key: bytes, signature: bytes, message: bytes) -> None:
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise InvalidSignatureError("a signature of the domain statement does not verify") from error


T = TypeVar("T")


def _decode(payload: bytes, kind: type[T]) -> T:
    if len(payload) > MAX_STATEMENT_BYTES:
        raise DecodingError("the domain statement is too large")
    return decode_json(payload, kind)
