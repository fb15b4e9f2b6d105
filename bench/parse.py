"""Parsing CMS, beside asn1crypto, which parses lazily: its fields are asked for, so that both have done the same."""

import io
from dataclasses import replace
from datetime import UTC, datetime

from asn1crypto import cms as asn1crypto_cms
from cryptography import x509

from bench.conversation import text_of
from bench.measure import MIB, Effort, Row, compare
from bench.people import make_user, p256_key, rsa_key
from sealwright.cms import enveloped, schema, signed
from sealwright.cms.encrypted_stream import encrypt_stream
from sealwright.cms.signers import PrivateKeySigner

_RECIPIENTS = 50
_OCTETS = 4096


def measure(effort: Effort) -> list[Row]:
    """Parse a signed and an encrypted message."""
    signer = make_user("alice", p256_key())
    recipients = [make_user(f"person{number}", p256_key()).certificate for number in range(_RECIPIENTS - 1)]
    recipients.append(make_user("bob", rsa_key()).certificate)
    content = text_of(_OCTETS)
    signers = [PrivateKeySigner(signer.certificate, signer.key)]
    signed_data = signed.sign(content, signers, detached=False, signing_time=datetime.now(UTC))
    enveloped_data = enveloped.encrypt(content, recipients)
    return [
        compare(
            "parse signed-data, one signer",
            lambda: schema.load_content(signed_data),
            "asn1crypto",
            lambda: _parse_signed(signed_data),
            effort,
        ),
        compare(
            f"parse enveloped-data, {_RECIPIENTS} recipients",
            lambda: schema.load_content(enveloped_data),
            "asn1crypto",
            lambda: _parse_enveloped(enveloped_data),
            effort,
        ),
        _in_chunks("4 KiB", text_of(_OCTETS), recipients[-1], effort),
        # once, for asn1crypto takes ten seconds
        _in_chunks(
            f"{effort.large_bytes // MIB} MiB",
            text_of(effort.large_bytes),
            recipients[-1],
            replace(effort, slices=1),
            goal=3.0,
        ),
    ]


class _Dripping(io.BytesIO):
    """A content that comes 4 KiB at a time."""

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # any buffer
        """Fill the start of a buffer."""
        return super().readinto(buffer[:_OCTETS])


def _in_chunks(
    size: str, content: bytes, recipient: x509.Certificate, effort: Effort, goal: float | None = None
) -> Row:
    """Parse what is written while its size is not known: indefinite lengths, the content in chunks."""
    message = io.BytesIO()
    encrypt_stream(_Dripping(content), message, [recipient], size=None, cipher="aes-256-cbc")
    encoded = message.getvalue()
    return compare(
        f"parse enveloped-data in BER chunks, {size}",
        lambda: schema.load_content(encoded),
        "asn1crypto",
        lambda: _parse_enveloped(encoded),
        effort,
        goal=goal,
    )


def _parse_signed(encoded: bytes) -> None:
    content = asn1crypto_cms.ContentInfo.load(encoded)["content"]
    for info in content["signer_infos"]:
        info["sid"].chosen, info["signature"].contents
        for attribute in info["signed_attrs"]:
            attribute["type"].dotted
    for certificate in content["certificates"]:
        certificate.dump()


def _parse_enveloped(encoded: bytes) -> None:
    content = asn1crypto_cms.ContentInfo.load(encoded)["content"]
    for info in content["recipient_infos"]:
        chosen = info.chosen
        if info.name == "ktri":
            chosen["rid"].chosen["serial_number"].native
        else:
            for key in chosen["recipient_encrypted_keys"]:
                key["rid"].chosen["serial_number"].native
    content["encrypted_content_info"]["encrypted_content"].native  # joins its chunks
