"""The layers of protection around a message, opened from the outside in (RFC 9787: the cryptographic envelope).

Only what wraps the *whole* message is a layer: a CMS part among others is an errant layer and is left closed (`parts`).
What a layer is, its CMS content says and not the smime-type beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from sealwright.cms import enveloped
from sealwright.cms.compressed import decompress
from sealwright.cms.decryptors import FindKeys, KeyDecryptor
from sealwright.cms.identifiers import RecipientIdentifier
from sealwright.cms.signed_data import load_signed_data
from sealwright.errors import DecodingError, DecryptionError
from sealwright.smime import tnef
from sealwright.smime.cautions import Caution, caution
from sealwright.smime.entities import Entity, cms_kind, cms_octets, parse_entity, smime_kind, split_multipart
from sealwright.smime.signers import SignatureVerdict, SignerVerdict, judge_signed_data
from sealwright.smime.transfer import crlf
from sealwright.smime.trust import Trust

MAX_LAYERS = 8
"""Signed, encrypted and signed again makes three; more is an attack."""

LayerKind = Literal["signed", "encrypted", "compressed", "certificates-only", "unreadable"]
_SMIME_TYPES = {
    "signed-data": "signed",
    "enveloped-data": "encrypted",
    "authenveloped-data": "encrypted",
    "auth-enveloped-data": "encrypted",
    "compressed-data": "compressed",
    "certs-only": "certificates-only",
}


@dataclass(frozen=True, slots=True)
class Encryption:
    """What is known about one layer of encryption.

    Attributes:
        is_decrypted: A key opened it. Why not is never told.
        is_authenticated: Integrity is protected, too (AEAD); never for CBC.
        content_cipher: Such as "aes-256-gcm"; empty if not decrypted.
        key_management: How the key of the content was wrapped, such as "rsa-pkcs1-v1.5"; empty if not decrypted.
        recipient: Which RecipientInfo opened it.
        recipients: That the message names, in its order.
    """

    is_decrypted: bool
    is_authenticated: bool = False
    content_cipher: str = ""
    key_management: str = ""
    recipient: RecipientIdentifier | None = None
    recipients: tuple[RecipientIdentifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of protection.

    Attributes:
        kind: What it is.
        content_type: Of the MIME entity that it is.
        part: Where an errant layer lies, as IMAP numbers parts; empty for a layer around the whole message.
        encryption: If it is encrypted.
        signers: If it is signed.
    """

    kind: LayerKind
    content_type: str
    part: str = ""
    encryption: Encryption | None = None
    signers: tuple[SignerVerdict, ...] = ()

    @property
    def is_errant(self) -> bool:
        """The layer covers a part of the message only and says nothing about the message (RFC 9787)."""
        return bool(self.part)


@dataclass(slots=True)
class Envelope:
    """What was opened.

    Attributes:
        layers: Outermost first.
        payload: What the innermost layer holds; None if it stays closed.
        decrypted: What the innermost encryption held, its signatures included; None if nothing was decrypted.
        closed: The entity that could not be opened, if there is one.
        cautions: So far.
        is_ambiguous: A header on the way in can be read in more than one way.
    """

    layers: list[Layer] = field(default_factory=list)
    payload: Entity | None = None
    decrypted: bytes | None = None
    closed: Entity | None = None
    cautions: list[Caution] = field(default_factory=list)
    is_ambiguous: bool = False


def open_envelope(message: Entity, find_keys: FindKeys, trust: Trust) -> Envelope:
    """Open all layers of a message.

    What lies below `MAX_LAYERS`, or cannot be taken apart within its limits, stays closed.
    """
    envelope = Envelope()
    entity = message
    while True:
        if entity.content_type in tnef.CONTENT_TYPES and (wrapped := _from_exchange(entity)) is not None:
            entity = wrapped
        _check_content_fields(entity, envelope)
        kind, inside = smime_kind(entity), None
        if kind in ("multipart", "opaque") and len(envelope.layers) >= MAX_LAYERS:
            envelope.closed = entity
            envelope.cautions.append(caution("beyond-limits", f"more than {MAX_LAYERS} layers of protection"))
        elif kind == "multipart":
            inside = _open_detached(entity, envelope, trust)
        elif kind == "opaque":
            inside = _open_opaque(entity, envelope, find_keys, trust)
        if inside is None and envelope.closed is None:
            envelope.payload = entity
        if inside is None:
            return envelope
        if envelope.layers[-1].kind == "encrypted":
            envelope.decrypted = inside
        try:
            entity = parse_entity(inside)
        except DecodingError as error:
            envelope.closed = Entity([], inside, 0, "application/octet-stream", {})
            envelope.cautions.append(caution("beyond-limits", error.message))
            return envelope


def _from_exchange(entity: Entity) -> Entity | None:
    """Return the S/MIME message that Exchange wrapped into winmail.dat, or None."""
    try:
        wrapped = tnef.smime_entity(tnef.parse_tnef(entity.decoded()))
        return parse_entity(wrapped) if wrapped is not None else None
    except DecodingError:
        return None


def _check_content_fields(entity: Entity, envelope: Envelope) -> None:
    names = [each.name.lower() for each in entity.fields]
    for name in ("content-type", "content-transfer-encoding"):
        if names.count(name) > 1:
            envelope.cautions.append(caution("duplicate-content-field", name))
            envelope.is_ambiguous = True


def _open_opaque(entity: Entity, envelope: Envelope, find_keys: FindKeys, trust: Trust) -> bytes | None:
    """Open an application/pkcs7-mime entity (RFC 8551 section 3.2); None if it stays closed."""
    content_info = cms_octets(entity)
    opened: bytes | None = None
    try:
        kind = cms_kind(content_info)
        if kind == "encrypted":
            opened = _decrypt(entity, content_info, envelope, find_keys, trust)
        elif kind == "signed":
            opened = _open_signed(entity, content_info, envelope, trust)
        else:
            opened = decompress(content_info).content
            envelope.layers.append(Layer("compressed", entity.content_type))
    except DecodingError as error:
        envelope.cautions.append(caution("unreadable-layer", error.message))
        envelope.layers.append(Layer("unreadable", entity.content_type))
    claimed = _SMIME_TYPES.get(entity.parameters.get("smime-type", "").lower())
    if claimed is not None and claimed != envelope.layers[-1].kind:
        envelope.cautions.append(caution("smime-type-mismatch"))
    if opened is None:
        envelope.closed = entity
    return opened


def _decrypt(
    entity: Entity, content_info: bytes, envelope: Envelope, find_keys: FindKeys, trust: Trust
) -> bytes | None:
    asked: dict[RecipientIdentifier, None] = {}

    def find_and_note(recipient: RecipientIdentifier) -> Sequence[KeyDecryptor]:
        asked[recipient] = None
        return find_keys(recipient)

    try:
        found = enveloped.decrypt(content_info, find_and_note, allow_legacy=True, certificates=trust.certificates)
    except DecryptionError as error:
        encryption = Encryption(is_decrypted=False, recipients=tuple(asked))
        envelope.layers.append(Layer("encrypted", entity.content_type, encryption=encryption))
        visible = error.message if error.message != DecryptionError().message else ""  # such as the name of a cipher
        envelope.cautions.append(caution("not-decrypted", visible))
        return None
    encryption = Encryption(
        is_decrypted=True,
        is_authenticated=found.authenticated,
        content_cipher=found.content_cipher,
        key_management=found.key_management,
        recipient=found.recipient,
        recipients=found.recipients,
    )
    if found.warnings:
        envelope.cautions.append(caution("weak-encryption", ", ".join(found.warnings)))
    envelope.layers.append(Layer("encrypted", entity.content_type, encryption=encryption))
    return found.content


def _open_signed(entity: Entity, content_info: bytes, envelope: Envelope, trust: Trust) -> bytes | None:
    parts = load_signed_data(content_info)
    if parts.content is None:
        is_bare = not parts.signer_infos  # RFC 8551 section 3.8
        envelope.cautions.append(caution("certificates-only" if is_bare else "signed-content-missing"))
        envelope.layers.append(Layer("certificates-only" if is_bare else "signed", entity.content_type))
        return None
    _take(judge_signed_data(parts, None, trust), entity, envelope)
    return parts.content


def _open_detached(entity: Entity, envelope: Envelope, trust: Trust) -> bytes | None:
    """Open a multipart/signed entity (RFC 8551 section 3.5.3); preamble and epilogue are no part of it."""
    parts = split_multipart(entity.body, entity.parameters.get("boundary", ""))
    signature = parse_entity(parts[1]) if len(parts) == 2 else None
    if signature is None or smime_kind(signature) != "signature":
        envelope.cautions.append(caution("multipart-signed-malformed"))
        broken = SignerVerdict(
            is_intact=False, problem="multipart-signed-malformed", reason=envelope.cautions[-1].message
        )
        envelope.layers.append(Layer("signed", entity.content_type, signers=(broken,)))
        return None
    # The signature is over CRLF; stores that keep bare line feeds are common (RFC 8551 section 3.1.1).
    content = parts[0]
    try:
        signed_data = load_signed_data(cms_octets(signature))
        verdict = judge_signed_data(signed_data, content, trust)
        if not all(signer.is_intact for signer in verdict.signers) and crlf(content) != content:
            content = crlf(content)
            verdict = judge_signed_data(signed_data, content, trust)
    except DecodingError as error:
        envelope.cautions.append(caution("unreadable-layer", error.message))
        broken = SignerVerdict(is_intact=False, problem="unreadable-layer", reason=error.message)
        envelope.layers.append(Layer("signed", entity.content_type, signers=(broken,)))
        return parts[0]
    _take(verdict, entity, envelope)
    return content


def _take(verdict: SignatureVerdict, entity: Entity, envelope: Envelope) -> None:
    envelope.layers.append(Layer("signed", entity.content_type, signers=verdict.signers))
    envelope.cautions += verdict.cautions
    envelope.cautions += [each for signer in verdict.signers for each in signer.cautions]
