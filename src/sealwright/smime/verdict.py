"""The verdict on a message: what was protected, by whom, and the one summary that a person can trust.

Conservative on purpose: whatever can be doubted gives no author and a caution with a code. The order is RFC 8551's: 1 open
the layers from the outside in, 2 choose the header, 3 judge whom the signature speaks for, 4 show. Pure: what is trusted,
and the time, come as a `Trust`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sealwright.cms.decryptors import FindKeys
from sealwright.errors import DecodingError
from sealwright.smime.cautions import Caution, caution
from sealwright.smime.entities import parse_entity
from sealwright.smime.headers import Headers, headers_of, unwrapped
from sealwright.smime.layers import Envelope, Layer, open_envelope
from sealwright.smime.originators import Originators
from sealwright.smime.parts import Attachment, Contents, attachment, contents_of
from sealwright.smime.signers import SignerVerdict
from sealwright.smime.trust import Trust

MAX_MESSAGE_BYTES = 100 * 1024 * 1024
"""What `compose` protects, as large as base64 makes it, fits; a few copies of it are held in memory."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What can be said about the whole message.

    Attributes:
        encrypted: Everything that is shown was inside an encryption; or the message is encrypted and stays closed.
        signed: A signature directly around what is shown (inside every encryption) is there, whatever it is worth.
        signature_valid: All its signers are: cryptography, path, not known to be revoked, valid at the time in question.
        signer_matches_from: The certificate of one whose signature holds names the From address, be it trusted or not.
        authentic_author: The one canonical addr-spec to which everything that is shown may be attributed with certainty.
    """

    encrypted: bool
    signed: bool
    signature_valid: bool
    signer_matches_from: bool
    authentic_author: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything that is known about a message.

    Attributes:
        summary: For people.
        layers: Around the whole message, outermost first; then errant ones.
        signature: The layer whose signers the summary speaks of, if there is one.
        headers: The header that counts.
        body_text: To show; HTML reduced to its text. None if the message stays closed, or is beyond the limits.
        attachments: Everything else.
        cautions: No doubles.
        entity: The innermost entity, octet for octet; None if the message stays closed.
        decrypted: What the innermost encryption held, octet for octet, with the signatures in it; None without one.
    """

    summary: Summary
    layers: tuple[Layer, ...]
    signature: Layer | None
    headers: Headers
    body_text: str | None = field(repr=False)
    attachments: tuple[Attachment, ...]
    cautions: tuple[Caution, ...]
    entity: bytes | None = field(repr=False)
    decrypted: bytes | None = field(default=None, repr=False)

    @property
    def is_authenticated_encryption(self) -> bool:
        """Every layer of encryption protects integrity, too."""
        found = [layer.encryption for layer in self.layers if layer.encryption is not None and not layer.is_errant]
        return bool(found) and all(each.is_authenticated for each in found)


def judge_message(message: bytes, find_keys: FindKeys, trust: Trust) -> Verdict:
    """Open and judge a message, whatever its protection.

    Args:
        message: RFC 5322; any line ends.
        find_keys: Gives every key that a recipient identifier may mean.
        trust: What signers are judged by.

    Raises:
        DecodingError: If it is no message, or too large.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise DecodingError("the message is too large")
    outer = parse_entity(message)
    if not outer.fields:
        raise DecodingError("not a message: it does not begin with a header")
    # 1 The layers, from the outside in.
    envelope = open_envelope(outer, find_keys, trust)
    place = _signature_place(envelope.layers)
    signers = envelope.layers[place].signers if place is not None else ()
    is_valid = bool(signers) and all(signer.is_valid for signer in signers)
    is_intact = bool(signers) and all(signer.is_intact for signer in signers)
    is_decrypted = any(layer.encryption is not None and layer.encryption.is_decrypted for layer in envelope.layers)
    # 2 The header.
    shown, has_own_header = envelope.payload, False
    if shown is not None and any(layer.kind in ("signed", "encrypted") for layer in envelope.layers):
        shown, has_own_header = unwrapped(shown)
    is_protected = has_own_header and (is_decrypted or is_intact)
    headers = headers_of(
        outer.fields, shown.fields if shown is not None else (), is_protected=is_protected, is_vouched=is_valid
    )
    # 3 Whom the signature speaks for.
    signers = tuple(_matched(signer, headers) for signer in signers)
    layers = list(envelope.layers)
    if place is not None:
        layers[place] = replace(layers[place], signers=signers)
    # 4 What is shown: from the payload alone, never put together from inside and outside a protection.
    if shown is not None:
        contents = contents_of(shown, strip_legacy_display=is_protected)
    else:
        contents = Contents(attachments=[attachment(envelope.closed)] if envelope.closed is not None else [])
    author = _author(signers, headers, envelope, contents) if is_valid else None
    is_closed = shown is None or contents.is_beyond_limits
    encrypted = any(layer.kind == "encrypted" for layer in layers)
    return Verdict(
        summary=Summary(
            encrypted=encrypted,
            signed=bool(signers),
            signature_valid=is_valid,
            signer_matches_from=any(signer.is_intact and signer.matches_from for signer in signers),
            authentic_author=author,
        ),
        layers=(*layers, *_errant_layers(contents)),
        signature=layers[place] if place is not None else None,
        headers=headers,
        body_text=None if is_closed else contents.text,
        attachments=tuple(contents.attachments),
        cautions=_all_cautions(envelope, contents, headers, signers, is_valid=is_valid, author=author),
        entity=None if shown is None else _octets(envelope, shown is not envelope.payload),
        decrypted=envelope.decrypted,
    )


def _signature_place(layers: Sequence[Layer]) -> int | None:
    """Return where the signature directly around the payload is: the innermost one, inside every encryption.

    RFC 9787: a signature around the encryption says who sent the ciphertext, not who wrote the text; of several signatures
    (RFC 2634 section 1.1: triple wrapping) the innermost one is the author's.
    """
    for place in range(len(layers) - 1, -1, -1):
        if layers[place].kind == "signed":
            return place
        if layers[place].kind == "encrypted":
            return None
    return None


def _matched(signer: SignerVerdict, headers: Headers) -> SignerVerdict:
    return replace(
        signer,
        matches_from=headers.author.author is not None and headers.author.author in signer.addresses,
        matches_sender=headers.sender.author is not None and headers.sender.author in signer.addresses,
    )


def _author(signers: Sequence[SignerVerdict], headers: Headers, envelope: Envelope, contents: Contents) -> str | None:
    is_doubtful = envelope.is_ambiguous or envelope.payload is None or contents.is_beyond_limits
    if is_doubtful or not any(signer.matches_from for signer in signers):
        return None
    return headers.author.author


def _errant_layers(contents: Contents) -> tuple[Layer, ...]:
    return tuple(Layer(part.kind, part.content_type, part=part.number) for part in contents.errant)


def _octets(envelope: Envelope, is_wrapped: bool) -> bytes:
    assert envelope.payload is not None
    return envelope.payload.decoded() if is_wrapped else envelope.payload.octets


def _all_cautions(
    envelope: Envelope,
    contents: Contents,
    headers: Headers,
    signers: Sequence[SignerVerdict],
    *,
    is_valid: bool,
    author: str | None,
) -> tuple[Caution, ...]:
    found = [*envelope.cautions, *contents.cautions]
    kinds = [layer.kind for layer in envelope.layers]
    if "signed" in kinds[: max((place for place, kind in enumerate(kinds) if kind == "encrypted"), default=0)]:
        found += () if signers else (caution("signature-outside-encryption"),)
    if not is_valid and any(
        layer.encryption is not None and layer.encryption.is_decrypted and not layer.encryption.is_authenticated
        for layer in envelope.layers
    ):
        found.append(caution("encryption-without-integrity"))
    found += _cautions_about_author(headers, headers.author, signers)
    if headers.recipients_differ:
        found.append(caution("outer-recipients-differ"))
    if author is not None and not headers.protected and headers.subject:
        found.append(caution("subject-not-protected"))
    return tuple(dict.fromkeys(found))


def _cautions_about_author(headers: Headers, author: Originators, signers: Sequence[SignerVerdict]) -> list[Caution]:
    found = [caution(doubt) for doubt in author.doubts]
    if not author.addresses and not author.doubts:
        found.append(caution("from-missing"))
    if headers.from_differs:
        found.append(caution("outer-from-differs", ", ".join(headers.outer_from.addresses)))
    named = [signer for signer in signers if signer.is_intact and signer.addresses]
    if named and not any(signer.matches_from for signer in named):
        by, sent = ", ".join(named[0].addresses), ", ".join(author.addresses) or "nobody"
        found.append(caution("signer-is-not-from", f"signed by {by}, but sent as {sent}"))
        if any(signer.matches_sender for signer in named):
            # RFC 8550 section 3: the From *or Sender* address must be in the certificate; Sender is not the author.
            found.append(caution("signer-is-sender"))
    return found
