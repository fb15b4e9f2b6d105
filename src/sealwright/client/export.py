"""Writing keys of the mailbox to a PKCS#12 file, for mail clients that want one; needs the organization's permission."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    KeySerializationEncryption,
    PrivateFormat,
    pkcs12,
)

from sealwright.client.checkpoints import remember_checkpoint
from sealwright.client.context import ClientContext
from sealwright.client.keys import load_certificates, load_decryption_key
from sealwright.client.state import MailboxKey
from sealwright.errors import InputError, LogVerificationError, NotFoundError
from sealwright.wire.api import ExportAnswer, ExportRequest
from sealwright.wire.leaf_check import check_leaf

MIN_PASSPHRASE_CHARACTERS = 8
LEGACY_ROUNDS = 600_000


def find_mailbox_key(context: ClientContext, chosen: str | None) -> MailboxKey:
    """Return a key of the mailbox by its id, or of slot classical by its generation; the active one without.

    Raises:
        NotFoundError: If there is none.
    """
    for key in reversed(context.store.state.mailbox_keys):
        is_classical = key.slot == "classical"
        is_meant = is_classical and (key.state == "ACTIVE" if chosen is None else chosen == str(key.generation))
        if chosen == key.key_id or is_meant:
            return key
    raise NotFoundError("the mailbox has no such key")


def export_key(context: ClientContext, key: MailboxKey, passphrase: str, *, legacy: bool = False) -> bytes:
    """Ask for permission, check that the log shows it, and return a PKCS#12 file.

    Args:
        context: The mailbox.
        key: One of its keys.
        passphrase: Protects the file.
        legacy: See `pkcs12_file`.

    Raises:
        PermissionDeniedError: If the organization does not allow it.
        LogVerificationError: If the log does not show it.
        InputError: If the passphrase is too short or the key has no certificate.
    """
    if len(passphrase) < MIN_PASSPHRASE_CHARACTERS:
        raise InputError(f"the passphrase needs at least {MIN_PASSPHRASE_CHARACTERS} characters")
    if not key.private_key_pkcs8:
        raise InputError(f"this key is {key.state}: it is not on this device")
    if not key.certificates:
        raise InputError("this key has no certificate to export it with")
    _check_exportable(key)
    answer = context.session.post("/v1/exports", ExportRequest(key_id=key.key_id), ExportAnswer)
    record = check_leaf(answer.leaf, answer.checkpoint, context.statement.log_origin, context.statement.log_key)
    if record.kind != "key.export" or record.chain_id != context.enrolled.mailbox_id:
        raise LogVerificationError("the log's leaf is not about this export")
    remember_checkpoint(answer.checkpoint, context.store, context.session, context.statement)
    return pkcs12_file(context.store.state.address, key, passphrase, legacy=legacy)


def pkcs12_file(name: str, key: MailboxKey, passphrase: str, *, legacy: bool = False) -> bytes:
    """Return a PKCS#12 file with a key, its newest certificate and the chain.

    Args:
        name: The friendly name.
        key: Has a certificate.
        passphrase: Protects the file.
        legacy: 3DES and SHA-1 for programs that read nothing else, such as gpgsm 2.2; else AES-256 and SHA-256.

    Raises:
        InputError: If the key is of a kind that the format is not used with.
    """
    return pkcs12.serialize_key_and_certificates(
        name.encode("utf-8"),
        _check_exportable(key),
        load_certificates(key.certificates)[0],
        load_certificates(key.chain),
        _protection(passphrase.encode("utf-8"), legacy=legacy),
    )


def _check_exportable(key: MailboxKey) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    private_key = load_decryption_key(key)
    if not isinstance(private_key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise InputError(f"no program reads {key.algorithm} keys from a PKCS#12 file: only classical keys are exported")
    return private_key


def _protection(passphrase: bytes, *, legacy: bool) -> KeySerializationEncryption:
    if not legacy:
        return BestAvailableEncryption(passphrase)
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(LEGACY_ROUNDS)
    builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
    return builder.hmac_hash(hashes.SHA1()).build(passphrase)  # noqa: S303 - what old programs read
