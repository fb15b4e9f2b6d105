"""Which algorithms a message uses, and for whom one copy can serve: pure, from certificates and known capabilities.

A recipient of whom nothing is known gets what every program reads: RSA PKCS #1 v1.5 and AES-256-CBC, signed inside. RFC 8551
section 2.7.1.2 would take AES-256-GCM there; NSS, gpgsm and Thunderbird show an empty message or an error then (tests/interop).
One copy has one content cipher, so it is AES-256-GCM only where everybody is known to read it.

NSS before 3.101 cannot read a message that has a key agreement recipient *beside* its own RSA one. Recipients that need
different forms therefore get separate copies. Copies are never made only for a better cipher: whoever can attack the weaker
copy has the text.

The same holds for pairs. A mailbox with a second certificate, for ML-KEM, is read by our own programs alone: else the directory
of its organization would not show it. A copy is encrypted for those second certificates if all who read it, the sender too, have
one and no device of theirs is known to read no ML-KEM:

    second certificate    known of the devices         may be used
    no                    anything                     no
    yes                   nothing                      yes
    yes                   all announce its ML-KEM      yes
    yes                   one does not                 no
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, rsa, x448, x25519

from sealwright.cms.key_transport import KeyTransport
from sealwright.smime import capabilities
from sealwright.smime.capabilities import Capabilities

ContentCipher = Literal["aes-256-cbc", "aes-256-gcm"]
_TRANSPORT, _AGREEMENT, _KEM = 0, 1, 2
"""Kinds of RecipientInfo, each younger than the one before: KeyTrans, KeyAgree, KEM (an OtherRecipientInfo, RFC 9629)."""
_MODERN = ("aes-256-gcm", "aes-128-gcm", "chacha20-poly1305", "cek-hkdf-sha256")
"""Nobody who reads one of these chokes on a RecipientInfo of an unknown kind."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """What is known about one recipient.

    Attributes:
        certificate: To encrypt to.
        capabilities: Learnt from verified mail, or None; then the certificate is asked (RFC 4262).
        kem_certificate: The second one of a pair, or None.
    """

    certificate: x509.Certificate
    capabilities: Capabilities | None = None
    kem_certificate: x509.Certificate | None = None

    @property
    def reads_kem(self) -> bool:
        """Whether the pair's second certificate may be used, as the table says."""
        if self.kem_certificate is None:
            return False
        key = self.kem_certificate.public_key()
        name = "ml-kem-1024" if isinstance(key, mlkem.MLKEM1024PublicKey) else "ml-kem-768"
        return self.capabilities is None or name in self.capabilities.names

    @property
    def readable(self) -> tuple[str, ...]:
        """Names of what the recipient is known to read; empty if nothing is known."""
        known = self.capabilities or capabilities.of_certificate(self.certificate)
        if known is not None and known.names:
            return known.names
        key = self.certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            return ()
        # Such keys came into mail together with AES-GCM as a MUST (RFC 8551 section 2.7), or later (RFC 9936).
        return ("aes-256-gcm",)


@dataclass(frozen=True, slots=True)
class Algorithms:
    """What one copy of a message is encrypted with.

    Attributes:
        cipher: For the content.
        key_transport: For RSA recipients.
        derive_key: Derive the content-encryption key with HKDF (RFC 9709).
        binary_inside: What is signed lies inside the encryption as it is, without base64 (RFC 8551 section 3.1.2).
    """

    cipher: ContentCipher = "aes-256-cbc"
    key_transport: KeyTransport = "rsa-pkcs1-v1.5"
    derive_key: bool = False
    binary_inside: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a message.

    Attributes:
        positions: Of its recipients in what was asked for; empty for the sender's own copy, which nobody is sent.
        certificates: To encrypt to, the sender's last.
        algorithms: For the copy.
    """

    positions: tuple[int, ...]
    certificates: tuple[x509.Certificate, ...]
    algorithms: Algorithms


def use_pairs(recipients: Sequence[Recipient]) -> tuple[Recipient, ...]:
    """Return the readers of one copy with their pairs' second certificates, if all of these may be used; else as they are."""
    if not all(recipient.reads_kem for recipient in recipients):
        return tuple(recipients)
    return tuple(replace(one, certificate=one.kem_certificate or one.certificate) for one in recipients)


def choose(recipients: Sequence[Recipient]) -> Algorithms:
    """Choose the algorithms of one copy: the best that every recipient is known to read."""
    readable = [recipient.readable for recipient in recipients]
    by_transport = [recipient.readable for recipient in recipients if _needs(recipient) == _TRANSPORT]
    return Algorithms(
        cipher="aes-256-gcm" if _all_read("aes-256-gcm", readable) else "aes-256-cbc",
        key_transport="rsa-oaep-sha256" if _all_read("rsa-oaep-sha256", by_transport) else "rsa-pkcs1-v1.5",
        derive_key=_all_read("cek-hkdf-sha256", readable),
        binary_inside=_all_read("prefer-binary-inside", readable),
    )


def plan_copies(recipients: Sequence[Recipient], own: Recipient | None) -> tuple[Copy, ...]:
    """Say which recipients share a copy, and what each copy is encrypted with.

    The sender can read each copy whose recipients bear a RecipientInfo of his kind; where that is none, there is one more
    copy for the sender alone.

    Args:
        recipients: Whoever may see each other in one message; a blind copy is asked for alone.
        own: The sender.

    Returns:
        At most three copies, and the sender's.
    """
    paired = use_pairs([*recipients, *([own] if own is not None else [])])
    recipients, own = paired[: len(recipients)], paired[-1] if own is not None else None
    groups: list[list[int]] = [[], [], []]
    for position, recipient in enumerate(recipients):
        groups[_bears(recipient)].append(position)
    modern = groups[_KEM]
    newest = max((_needs(recipients[position]) for position in modern), default=_TRANSPORT)
    for older in (_AGREEMENT, _TRANSPORT):  # no copy of their own for those who can share an older one
        if modern and groups[older] and newest <= older:
            groups[older], groups[_KEM] = sorted(groups[older] + modern), []
            break
    copies = []
    for group in filter(None, groups):
        members = [recipients[position] for position in group]
        if own is not None and _needs(own) <= min(map(_bears, members)):
            members.append(own)
        copies.append(_copy(tuple(group), members))
    if own is not None and not any(own.certificate in copy.certificates for copy in copies):
        copies.append(_copy((), [own]))
    return tuple(copies)


def _copy(positions: tuple[int, ...], members: Sequence[Recipient]) -> Copy:
    return Copy(positions, tuple(dict.fromkeys(one.certificate for one in members)), choose(members))


def _needs(recipient: Recipient) -> int:
    key = recipient.certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return _TRANSPORT
    agreement = isinstance(key, ec.EllipticCurvePublicKey | x25519.X25519PublicKey | x448.X448PublicKey)
    return _AGREEMENT if agreement else _KEM


def _bears(recipient: Recipient) -> int:
    """Return the newest kind of RecipientInfo that may stand beside the recipient's own."""
    return _KEM if any(name in recipient.readable for name in _MODERN) else _needs(recipient)


def _all_read(name: str, readable: Sequence[Sequence[str]]) -> bool:
    return bool(readable) and all(name in names for names in readable)
