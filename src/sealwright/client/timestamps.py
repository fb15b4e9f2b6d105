"""Timestamps on signatures (RFC 3161): asked for from an authority over HTTP, verified, and put into the message."""

import secrets

from sealwright.cms.signed_data import load_signed_data
from sealwright.cms.signer_report import TimestampReport
from sealwright.cms.timestamp import (
    MAX_RESPONSE_BYTES,
    parse_timestamp_response,
    timestamp_request,
    verify_timestamp,
)
from sealwright.cms.unsigned_attributes import TIMESTAMP_TOKEN, add_unsigned_attribute
from sealwright.errors import InputError, UnavailableError
from sealwright.net.http import HttpClient

_NONCE_BITS = 64
_HEADERS = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}


def timestamp_signatures(http: HttpClient, authority: str, content_info: bytes) -> tuple[bytes, list[TimestampReport]]:
    """Put a timestamp on every signature of a message.

    Args:
        http: May allow plain HTTP: a token carries its own signature.
        authority: URL of the timestamp authority. It learns a digest of each signature and nothing of the content.
        content_info: SignedData, DER or BER.

    Returns:
        DER ContentInfo, and what the authority said about each signature.

    Raises:
        DecodingError: If it is not a signed message, or the answer is malformed.
        InputError: If nobody signed it.
        UnavailableError: If the authority does not answer, or refuses.
        InvalidSignatureError: If its token does not hold, or is over something else.
    """
    signatures = [info.signature for info in load_signed_data(content_info).signer_infos]
    if not signatures:
        raise InputError("nobody signed the message, so there is nothing to stamp")
    reports = [fetch_timestamp(http, authority, signature) for signature in signatures]
    for signature, report in zip(signatures, reports, strict=True):
        content_info = add_unsigned_attribute(content_info, signature, TIMESTAMP_TOKEN, report.token)
    return content_info, reports


def fetch_timestamp(http: HttpClient, authority: str, message: bytes) -> TimestampReport:
    """Return a timestamp over octets, whose imprint, nonce and signature were verified.

    Args:
        http: May allow plain HTTP.
        authority: URL of the timestamp authority.
        message: What is to be stamped; only its digest is sent.

    Raises:
        DecodingError: If the answer is malformed.
        UnavailableError: If the authority does not answer, or refuses.
        InvalidSignatureError: If its token does not hold, or answers another request.
    """
    nonce = secrets.randbits(_NONCE_BITS)
    request = timestamp_request(message, nonce=nonce)
    answer = http.request("POST", authority, headers=_HEADERS, body=request, max_bytes=MAX_RESPONSE_BYTES)
    if answer.status != 200:
        raise UnavailableError(f"the timestamp authority answered with HTTP status {answer.status}")
    response = parse_timestamp_response(answer.body)
    if response.token is None:
        raise UnavailableError(f"the timestamp authority refused with status {response.status}")
    return verify_timestamp(response.token, message, nonce=nonce)
