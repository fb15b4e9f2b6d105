"""Taking keys of another program into the mailbox's history, so that every device reads the old mail."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sealwright.client.context import ClientContext
from sealwright.client.key_delivery import fetch_keys
from sealwright.client.key_files import KeyFile
from sealwright.client.keys import MailboxPrivateKey
from sealwright.wire.hpke import hpke_seal
from sealwright.wire.key_import import (
    MAX_CERTIFICATES,
    ImportAnswer,
    ImportKeyAnswer,
    ImportOutcome,
    ImportRequest,
    KeyToImport,
    import_info,
)

BATCH = 20
"""Keys in one request; each costs the keystore up to 0.2 s (RSA keys are validated)."""
MAX_CHAIN = 10


@dataclass(frozen=True, slots=True)
class HistoricKey:
    """A private key with every certificate that was given for it.

    Attributes:
        private_key: Of a kind that decrypts mail.
        certificates: Newest first.
        chain: Of the first.
    """

    private_key: MailboxPrivateKey = field(repr=False)
    certificates: tuple[x509.Certificate, ...]
    chain: tuple[x509.Certificate, ...]

    @property
    def spki(self) -> bytes:
        """Return its SubjectPublicKeyInfo, DER."""
        return self.certificates[0].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def historic_keys(files: Iterable[KeyFile]) -> tuple[tuple[HistoricKey, ...], int]:
    """Put keys and certificates of files together; one key is one, however often it was given.

    Returns:
        The keys that can decrypt mail, and how many others there were (signing keys, which are never archived).
    """
    found: dict[bytes, list[KeyFile]] = {}
    for file in files:
        spki = file.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        found.setdefault(spki, []).append(file)
    keys = []
    for same in found.values():
        private_key = same[0].private_key
        if not isinstance(private_key, MailboxPrivateKey) or not _may_decrypt(same):
            continue
        unique = dict.fromkeys(file.certificate for file in same)
        newest_first = sorted(unique, key=lambda each: each.not_valid_after_utc, reverse=True)[:MAX_CERTIFICATES]
        chain = next(file.chain for file in same if file.certificate == newest_first[0])
        issuers = tuple(each for each in chain if each not in unique and each.subject != each.issuer)
        keys.append(HistoricKey(private_key, tuple(newest_first), issuers[:MAX_CHAIN]))
    return tuple(keys), len(found) - len(keys)


def _may_decrypt(files: Sequence[KeyFile]) -> bool:
    """Tell whether one certificate permits encryption; without keyUsage everything is permitted (RFC 5280 4.2.1.3)."""
    for file in files:
        try:
            usage = file.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        except x509.ExtensionNotFound:
            return True
        if usage.key_encipherment or usage.key_agreement or usage.data_encipherment:
            return True
    return False


def seal_key(key: HistoricKey, answer: ImportKeyAnswer, organization_id: str, mailbox_id: str) -> KeyToImport:
    """Seal a key to the keystore, for one mailbox."""
    pkcs8 = key.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return KeyToImport(
        certificates=tuple(each.public_bytes(Encoding.DER) for each in key.certificates),
        chain=tuple(each.public_bytes(Encoding.DER) for each in key.chain),
        sealed_key=hpke_seal(answer.public_key, import_info(organization_id, mailbox_id, key.spki), pkcs8),
    )


def import_keys(
    context: ClientContext, keys: Sequence[HistoricKey], progress: Callable[[int], None] = lambda _done: None
) -> tuple[ImportOutcome, ...]:
    """Import keys into the history of this device's mailbox and fetch it anew; can be repeated.

    Args:
        context: The mailbox.
        keys: Whatever number.
        progress: Called with the number of keys done so far.

    Returns:
        One outcome for each key, in their order.

    Raises:
        InvalidSignatureError: If the import key is not the organization's.
        SealwrightError: What the server's problem says; `UnavailableError` if it does not answer.
    """
    enrolled = context.enrolled
    answer = context.session.get("/v1/imports/key", ImportKeyAnswer)
    answer.verify(enrolled.organization_id, context.statement.release_key)
    outcomes: list[ImportOutcome] = []
    for batch in _batches(keys):
        sealed = tuple(seal_key(key, answer, enrolled.organization_id, enrolled.mailbox_id) for key in batch)
        outcomes += context.session.post("/v1/imports", ImportRequest(keys=sealed), ImportAnswer).outcomes
        progress(len(outcomes))
    if any(each.outcome != "refused" for each in outcomes):
        fetch_keys(context)
    return tuple(outcomes)


def _batches(keys: Sequence[HistoricKey]) -> Iterator[Sequence[HistoricKey]]:
    for start in range(0, len(keys), BATCH):
        yield keys[start : start + BATCH]
