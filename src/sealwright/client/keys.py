"""The keys of a mailbox as the formats want them: look-up by recipient, the key for new mail, the signer."""

from collections.abc import Sequence
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, rsa, x448, x25519
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_private_key

from sealwright.client.remote_decrypt import RemoteKeyDecryptor, UnwrapContentKey
from sealwright.client.state import MailboxKey, SigningKey
from sealwright.cms.decryptors import KeyDecryptor, PrivateKeyDecryptor
from sealwright.cms.identifiers import RecipientIdentifier
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import ConfigurationError, DecodingError, InputError, NotFoundError
from sealwright.pkix.extensions import UNDECODABLE
from sealwright.wire.manifest import RELEASED_STATES

MailboxPrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | x25519.X25519PrivateKey
    | x448.X448PrivateKey
    | mlkem.MLKEM768PrivateKey
    | mlkem.MLKEM1024PrivateKey
)
"""What can be in a mailbox's history: made by the key management, or imported."""


class KeyRing:
    """All generations of a mailbox's encryption key.

    Args:
        keys: As they are in the store.
        unwrap: Asks for content keys of keys that stay in the key management; None where none does.
        shared: Of shared mailboxes whose mail comes into the same folders; they decrypt, and nothing is encrypted for them.
    """

    def __init__(
        self,
        keys: Sequence[MailboxKey],
        unwrap: UnwrapContentKey | None = None,
        shared: Sequence[MailboxKey] = (),
    ) -> None:
        self._keys, self._unwrap, self._shared = tuple(keys), unwrap, tuple(shared)

    def find_keys(self, recipient: RecipientIdentifier) -> Sequence[KeyDecryptor]:
        """Return the private keys that a message's recipient identifier names, from all generations, newest first."""
        return [
            decryptor
            for decryptor, certificates, key_identifier in reversed(self._decryptors)
            if recipient.subject_key_identifier == key_identifier
            or any(recipient.matches(certificate) for certificate in certificates)
        ]

    @cached_property
    def _decryptors(self) -> tuple[tuple[KeyDecryptor, tuple[x509.Certificate, ...], bytes], ...]:
        """Each key with its certificates and key identifier; loaded once, since a message may name a thousand recipients."""
        found: list[tuple[KeyDecryptor, tuple[x509.Certificate, ...], bytes]] = []
        for key in (*self._shared, *self._keys):
            certificates = load_certificates(key.certificates)
            if key.private_key_pkcs8:
                private_key = load_decryption_key(key)
                found.append(
                    (PrivateKeyDecryptor(private_key), certificates, _key_identifier(private_key.public_key()))
                )
            elif self._unwrap is not None and certificates and key.state in RELEASED_STATES:
                remote = RemoteKeyDecryptor(key.key_id, self._unwrap)
                found.append((remote, certificates, _key_identifier(certificates[0].public_key())))
        return tuple(found)

    def active_certificate(self) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
        """Return the certificate that mail to this mailbox is encrypted for now, with its chain.

        Raises:
            NotFoundError: If the mailbox has none yet.
        """
        key = self._active("classical")
        if key is None:
            raise NotFoundError("this mailbox has no encryption certificate yet; try again in a minute")
        return load_certificates(key.certificates)[0], load_certificates(key.chain)

    def active_kem_certificate(self) -> x509.Certificate | None:
        """Return the second certificate of this mailbox's pair, for ML-KEM; None where it has none."""
        key = self._active("kem")
        return None if key is None else load_certificates(key.certificates)[0]

    def _active(self, slot: str) -> MailboxKey | None:
        usable = (key for key in reversed(self._keys) if key.state == "ACTIVE" and key.certificates)
        return next((key for key in usable if key.slot == slot), None)


def load_decryption_key(key: MailboxKey) -> MailboxPrivateKey:
    """Return the private key of one generation.

    Raises:
        InputError: If it is not on this device.
        DecodingError: If it is of no kind that decrypts mail.
    """
    if not key.private_key_pkcs8:
        raise InputError(f"key {key.key_id} is not on this device: it stays in the key management, or was taken back")
    try:
        # checked when it was made or imported; checking an RSA key again takes 28 to 196 ms
        private_key = load_der_private_key(key.private_key_pkcs8, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError) as error:
        raise DecodingError(f"key {key.key_id} is not PKCS#8") from error
    if not isinstance(private_key, MailboxPrivateKey):
        raise DecodingError(f"key {key.key_id} is of a kind that decrypts no mail")
    return private_key


def _key_identifier(public_key: CertificatePublicKeyTypes) -> bytes:
    return x509.SubjectKeyIdentifier.from_public_key(public_key).digest


def load_certificates(encoded: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
    """Load DER certificates.

    Raises:
        DecodingError: If one is not a certificate.
    """
    try:
        return tuple(x509.load_der_x509_certificate(certificate) for certificate in encoded)
    except UNDECODABLE as error:
        raise DecodingError("not a certificate") from error


def load_signer(signing_key: SigningKey | None) -> PrivateKeySigner:
    """Return this device as a signer, with its certificate and chain.

    Raises:
        ConfigurationError: If set-up has not come that far.
    """
    if signing_key is None or not signing_key.certificate:
        raise ConfigurationError("this device has no signing certificate yet; run `sealwright setup` again")
    private_key = load_der_private_key(signing_key.private_key_pkcs8, None)
    if not isinstance(private_key, ec.EllipticCurvePrivateKey):
        raise DecodingError("the signing key is not an elliptic-curve key")
    certificate = load_certificates([signing_key.certificate])[0]
    return PrivateKeySigner(certificate, private_key, load_certificates(signing_key.chain))
