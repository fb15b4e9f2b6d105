"""Parsing CMS, beside asn1crypto, which parses lazily: its fields are asked for, so that both have done the same."""

from datetime import UTC, datetime

from asn1crypto import cms as asn1crypto_cms

from bench.conversation import text_of
from bench.measure import Effort, Row, compare
from bench.people import make_user, p256_key, rsa_key
from sealwright.cms import enveloped, schema, signed
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
    ]


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
    content["encrypted_content_info"]["encrypted_content"].contents
