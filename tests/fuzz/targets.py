"""What is fuzzed: every parser of bytes that strangers send, one target each, under one contract.

A target takes any octets and lets nothing escape but the errors that it names. Whatever else comes out, a hang or memory
without bound is a finding; its input goes to the target's folder of the corpus. Signed formats are signed here, so that the
fuzzer gets behind the signature.
"""

import base64
import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sealwright.asn1 import ber, der
from sealwright.client import inspection, key_files, mail_challenge
from sealwright.cms import compressed, enveloped, recipient_encoding, schema, signed, timestamp, unsigned_attributes
from sealwright.cms.decryptors import PasswordDecryptor, PrivateKeyDecryptor, SymmetricKeyDecryptor
from sealwright.cms.encrypted_stream import decrypt_stream
from sealwright.cms.signed_stream import examine_stream
from sealwright.errors import (
    AuthenticationError,
    DecodingError,
    InputError,
    MailHeldError,
    PermissionDeniedError,
    VerificationError,
)
from sealwright.keystore import release_rules, shares
from sealwright.pkix import names, ocsp, private_keys, requests
from sealwright.pkix.extensions import UNDECODABLE
from sealwright.pkix.path import validate_path
from sealwright.pkix.path_building import CertificatePool
from sealwright.pkix.signatures import WorkBudget
from sealwright.smime import capabilities, entities, fields, parts, reply, tnef
from sealwright.smime.originators import originators
from sealwright.smime.trust import Trust
from sealwright.smime.verdict import judge_message
from sealwright.tlog import checkpoint, layout, leaf, note, tree, witness
from sealwright.wire import (
    dpop,
    encoding,
    escrow,
    factors,
    hpke,
    log_break,
    manifest,
    report,
    roles,
    signed_request,
    statement,
)

CORPUS = Path(__file__).with_name("corpus")
VECTORS = Path(__file__).resolve().parents[1] / "vectors"
MAX_SEED_BYTES = 16 * 1024
"""Longer inputs only slow the fuzzer down."""
NOW = datetime(2026, 11, 25, tzinfo=UTC)
_OPENSSL, _RFC9216 = VECTORS / "openssl-3.6.5", VECTORS / "rfc9216"
KEYS = [load_pem_private_key((_OPENSSL / f"{name}.key").read_bytes(), None) for name in ("rsa2048", "p256", "mlkem768")]
ROOT = x509.load_der_x509_certificate((_RFC9216 / "00_CERTIFICATE.der").read_bytes())
LEAF = x509.load_der_x509_certificate((_RFC9216 / "03_CERTIFICATE.der").read_bytes())
SUBORDINATE = x509.load_der_x509_certificate((_RFC9216 / "02_CERTIFICATE.der").read_bytes())
DEVICE = ec.derive_private_key(0x5EA1, ec.SECP256R1())
ISSUER = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ISSUER_KEY = ISSUER.public_key().public_bytes_raw()
TRUST = Trust(now=NOW, anchors=(ROOT,), certificates=(SUBORDINATE,))
DECRYPTORS = [
    *(PrivateKeyDecryptor(key) for key in KEYS),
    SymmetricKeyDecryptor(bytes(32)),
    PasswordDecryptor(b"password"),
]
BROKEN = (DecodingError, VerificationError)


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under test.

    Attributes:
        run: Feeds it.
        errors: What it may raise.
        seeds: Globs under tests/vectors that the corpus begins with, besides the target's own folder.
    """

    run: Callable[[bytes], object]
    errors: tuple[type[Exception], ...] = BROKEN
    seeds: tuple[str, ...] = ()

    def accept(self, data: bytes) -> None:
        """Feed the parser; let out only what breaks the contract."""
        with contextlib.suppress(self.errors):
            self.run(data)

    def corpus(self, name: str) -> list[Path]:
        """Return the files to begin with, in a stable order."""
        found = [path for pattern in self.seeds for path in VECTORS.glob(pattern)]
        own = (path for path in (CORPUS / name).glob("*"))
        return sorted(path for path in (*found, *own) if path.stat().st_size <= MAX_SEED_BYTES)


def _ber(data: bytes) -> None:
    encoded = ber.cms_to_der(data)
    assert ber.cms_to_der(encoded) == encoded, "DER is its own DER"


def _der(data: bytes) -> None:
    for tag, content in der.elements(data):
        if tag & 0x20:
            der.elements(content)


def _decrypt_stream(data: bytes) -> None:
    """In pieces: never another content than in memory."""
    sink = io.BytesIO()
    decrypt_stream(io.BytesIO(data), sink, lambda _: DECRYPTORS, allow_legacy=True)
    with contextlib.suppress(*BROKEN):
        assert enveloped.decrypt(data, lambda _: DECRYPTORS, allow_legacy=True).content == sink.getvalue()


def _examine(data: bytes) -> None:
    opaque = signed.examine(data, None, allow_weak=True)
    assert all(signer.certificate is not None for signer in opaque.signers if signer.is_intact)


def _examine_stream(data: bytes) -> None:
    """In pieces: never another content than in memory."""
    sink = io.BytesIO()
    examine_stream(io.BytesIO(data), sink, allow_weak=True)
    with contextlib.suppress(*BROKEN):
        assert signed.examine(data, None, allow_weak=True).content == sink.getvalue()


def _examine_detached(data: bytes) -> None:
    signed.examine(data, b"Content-Type: text/plain\r\n\r\nhello interop\r\n", certificates=[LEAF])


def _add_unsigned(data: bytes) -> None:
    oid = b"\x06\x03\x2a\x03\x04"
    try:
        held = [signer.signature for signer in signed.examine(data, None).signers]
    except DecodingError:
        held = []
    for signature in held or [b""]:
        unsigned_attributes.add_unsigned_attribute(data, signature, oid, oid)


def _certificate(data: bytes) -> None:
    try:
        certificate = x509.load_der_x509_certificate(data)
    except UNDECODABLE:  # the library's own refusal
        return
    for purpose in ("sign", "encrypt", "any"):
        try:
            validate_path(certificate, [SUBORDINATE, certificate], [ROOT], now=NOW, purpose=purpose, allow_weak=True)
        except VerificationError:
            continue
    names.certificate_addresses(certificate)


def _intermediate(data: bytes) -> None:
    try:
        certificate = x509.load_der_x509_certificate(data)
    except UNDECODABLE:
        return
    validate_path(LEAF, [certificate], [certificate], now=NOW, purpose="sign", allow_weak=True)


def _crl(data: bytes) -> None:
    lists = key_files.load_crl_file(data)
    validate_path(LEAF, [SUBORDINATE], [ROOT], now=NOW, purpose="sign", crls=lists, allow_weak=True)


def _ocsp(data: bytes) -> None:
    pool = CertificatePool([ROOT], [SUBORDINATE], WorkBudget())
    validate_path(LEAF, [SUBORDINATE], [ROOT], now=NOW, purpose="sign", ocsp_responses=[data], allow_weak=True)
    try:
        ocsp.read_response(data, LEAF, ROOT, pool, allow_weak=True)
    finally:
        ocsp.nonce_of(data)


def _name(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    canonical = names.canonical_address(text)
    assert names.canonical_address(canonical) == canonical, "canonical is canonical"


def _private_key(data: bytes) -> None:
    private_keys.load_private_key(data, None)


def _header(data: bytes) -> None:
    header, _ = fields.split_entity(data)
    for each in header:
        fields.decode_field(each.value)
        fields.parameters(each.value)
        fields.split_parameters(each.value.decode("utf-8", "replace"))
    for name in ("from", "sender", "to"):
        fields.addresses(header, name)
        originators(header, name)


def _entity(data: bytes) -> None:
    contents = parts.contents_of(entities.parse_entity(data), strip_legacy_display=True)
    assert len(contents.text) <= 4 * len(data) + 4096, "text does not grow"


def _html(data: bytes) -> None:
    parts.html_to_text(data.decode("utf-8", "replace"), drop_class="header-protection-legacy-display")


def _message(data: bytes) -> None:
    verdict = judge_message(data, lambda _: DECRYPTORS, TRUST)
    if verdict.summary.authentic_author is not None:
        assert verdict.summary.signature_valid
        assert verdict.summary.signer_matches_from
    msgspec.json.encode(inspection.inspection_document(verdict))
    if verdict.body_text is not None:
        with contextlib.suppress(InputError, MailHeldError):
            reply.write_reply(verdict, "text", "bob@example.test", quote=True)


def _challenge(data: bytes) -> None:
    mail_challenge.parse_challenge(data)


def _note(data: bytes) -> None:
    """Take a note as it is, and then a text that is signed here, so that what is behind a good signature is parsed."""
    text = data.decode("utf-8", "replace")
    origin = text.partition("\n")[0]
    signature = base64.b64encode(note.key_id(origin, ISSUER_KEY) + ISSUER.sign((text + "\n").encode()))
    try:
        checkpoint.open_note(f"{text}\n\n— {origin} {signature.decode()}\n", origin, ISSUER_KEY)
    finally:
        checkpoint.open_note(text, origin, ISSUER_KEY)


def _tile_path(data: bytes) -> None:
    layout.parse_path(data.decode("utf-8", "replace"))


def _bundle(data: bytes) -> None:
    layout.decode_bundle(data[1:], data[0] + 1 if data else 1)


def _log_break(data: bytes) -> None:
    """Take a note as it is, and then a text that is signed here."""
    text = data.decode("utf-8", "replace")
    try:
        log_break.open_log_break(
            log_break.log_break_note(text, ISSUER_KEY, ISSUER.sign(text.encode())), "log", ISSUER_KEY
        )
    finally:
        log_break.open_log_break(text, "log", ISSUER_KEY)


def _report(data: bytes) -> None:
    report.decode_sums(data)


def _verifier_key(data: bytes) -> None:
    note.decode_verifier_key(data.decode("utf-8", "replace"))


def _proof(data: bytes) -> None:
    first, second, index = (int.from_bytes(data[start : start + 2], "big") for start in (0, 2, 4))
    hashes_given = [data[start : start + 32] for start in range(6, len(data), 32)]
    try:
        tree.verify_inclusion(bytes(32), index, second, hashes_given, bytes(32))
    except VerificationError:
        tree.verify_consistency(first, second, hashes_given, bytes(32), bytes(32))


def _fields(data: bytes) -> None:
    found = encoding.decode_fields("sealwright released keys", 1, data)
    assert encoding.encode_fields("sealwright released keys", 1, *found) == data, "one encoding only"
    manifest.decode_released_keys(data)


def _base64url(data: bytes) -> None:
    text = data.decode("latin-1")
    assert encoding.b64u_encode(encoding.b64u_decode(text)) == text


def _escrow(data: bytes) -> None:
    escrow.verify_escrow_statement(data, ISSUER.sign(escrow.escrow_signature_input(data)), ISSUER_KEY, NOW)


def _statement(data: bytes) -> None:
    delegation = msgspec.json.encode(
        statement.StatementDelegation(
            domain="example.test",
            statement_key=ISSUER_KEY,
            not_before=NOW - timedelta(days=1),
            not_after=NOW + timedelta(days=1),
        )
    )
    for payload, delegated in ((data, delegation), (b"{}", data)):
        whole = statement.SignedStatement(
            payload=payload,
            signature=ISSUER.sign(statement.statement_signature_input(payload)),
            delegation=delegated,
            delegation_signature=ISSUER.sign(statement.delegation_signature_input(delegated)),
            root_key=ISSUER_KEY,
        )
        try:
            statement.verify_statement(whole, encoding.sha256(ISSUER_KEY), "example.test", NOW)
        except BROKEN:
            continue


def _dpop(data: bytes) -> None:
    """Take header and claims, separated by an empty line; fill in the key and sign."""
    header, _, claims = data.partition(b"\n\n")
    numbers = DEVICE.public_key().public_numbers()
    x, y = (encoding.b64u_encode(number.to_bytes(32, "big")).encode() for number in (numbers.x, numbers.y))
    header = header.replace(b"@X", x).replace(b"@Y", y)
    text = f"{encoding.b64u_encode(header)}.{encoding.b64u_encode(claims)}"
    r, s = decode_dss_signature(DEVICE.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    raw = encoding.b64u_encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    dpop.verify_proof(f"{text}.{raw}", "POST", "https://kms.example.test/a", None, NOW)


def _jwt(data: bytes) -> None:
    dpop.verify_proof(data.decode("utf-8", "surrogateescape"), "GET", "https://kms.example.test/", "token", NOW)


def _request(data: bytes) -> None:
    """Take a method, an address, header fields and a body as HTTP has them."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    method, _, uri = first.partition(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    signed_request.verify_request(DEVICE.public_key(), method, uri, headers, body)


def _hpke(data: bytes) -> None:
    hpke.check_hpke_public_key(data)


def _release_rules(data: bytes) -> None:
    """Decode rules, check them and ask them, which parses networks and hours."""
    decoded = release_rules.ReleaseRules.decode(data)
    decoded.check()
    with contextlib.suppress(PermissionDeniedError):
        release_rules.MailboxRules((decoded,)).check(4, NOW, "192.0.2.1")


TARGETS = {
    "asn1-ber": Target(_ber, seeds=("openssl-3.6.5/*.der", "rfc9216/*.der")),
    "asn1-der": Target(_der, seeds=("openssl-3.6.5/*.der", "rfc9216/*.der")),
    "cms-load": Target(schema.load_content, seeds=("openssl-3.6.5/*.der",)),
    "cms-decrypt": Target(
        lambda data: enveloped.decrypt(data, lambda _: DECRYPTORS, allow_legacy=True), seeds=("openssl-3.6.5/*.der",)
    ),
    "cms-decrypt-stream": Target(_decrypt_stream, seeds=("openssl-3.6.5/*.der",)),
    "cms-examine-stream": Target(_examine_stream, seeds=("openssl-3.6.5/*sign*.der",)),
    "cms-examine": Target(_examine, seeds=("openssl-3.6.5/*sign*.der",)),
    "cms-examine-detached": Target(_examine_detached, seeds=("openssl-3.6.5/*sign*.der",)),
    "cms-unsigned-attributes": Target(_add_unsigned, (InputError,), seeds=("openssl-3.6.5/*sign*.der",)),
    "cms-certificates-only": Target(signed.read_certificates_only),
    "cms-recipient-info": Target(
        lambda data: recipient_encoding.encode_recipient_info(recipient_encoding.decode_recipient_info(data, 32))
    ),
    "cms-compressed": Target(compressed.decompress),
    "cms-timestamp-response": Target(timestamp.parse_timestamp_response),
    "cms-tst-info": Target(timestamp.parse_tst_info),
    "pkix-certificate": Target(_certificate, seeds=("rfc9216/*CERTIFICATE.der",)),
    "pkix-intermediate": Target(_intermediate, seeds=("rfc9216/*CERTIFICATE.der",)),
    "pkix-crl": Target(_crl, (InputError, VerificationError)),
    "pkix-ocsp": Target(_ocsp),
    "pkix-address": Target(_name, (InputError,)),
    "pkix-request": Target(requests.check_certification_request, (InputError, VerificationError)),
    "pkix-private-key": Target(
        _private_key, (InputError, VerificationError), seeds=("rfc9216/*KEY.der", "lamps-*/*.priv")
    ),
    "key-file": Target(
        lambda data: key_files.load_private_key_file(data, [b"alice"]),
        (InputError, VerificationError),
        seeds=("rfc9216/*KEY.der", "lamps-*/*.priv"),
    ),
    "pkcs12-file": Target(
        lambda data: key_files.load_pkcs12_file(data, [b"alice"]),
        (InputError, VerificationError),
        seeds=("rfc9216/*PKCS12.der",),
    ),
    "certificate-file": Target(key_files.load_certificate_file, (InputError,), seeds=("rfc9216/*CERTIFICATE.der",)),
    "smime-header": Target(_header),
    "smime-entity": Target(_entity, seeds=("thunderbird-153/*.eml",)),
    "smime-html": Target(_html, ()),
    "smime-capabilities": Target(capabilities.parse),
    "smime-tnef": Target(tnef.parse_tnef),
    "smime-message": Target(_message, seeds=("thunderbird-153/*.eml",)),
    "inspect": Target(
        lambda data: inspection.inspect_message(data, lambda _: DECRYPTORS, TRUST),
        (InputError,),
        seeds=("openssl-3.6.5/*.der",),
    ),
    "mail-challenge": Target(_challenge),
    "tlog-note": Target(_note),
    "tlog-path": Target(_tile_path),
    "tlog-bundle": Target(_bundle),
    "tlog-verifier-key": Target(_verifier_key),
    "tlog-witness": Target(witness.decode_add_checkpoint),
    "tlog-leaf": Target(leaf.decode_leaf_record),
    "tlog-proof": Target(_proof),
    "wire-fields": Target(_fields),
    "wire-base64url": Target(_base64url),
    "wire-escrow": Target(_escrow),
    "wire-statement": Target(_statement),
    "wire-dpop": Target(_dpop, (AuthenticationError,)),
    "wire-dpop-jwt": Target(_jwt, (AuthenticationError,)),
    "wire-signed-request": Target(_request, (AuthenticationError,)),
    "wire-hpke-key": Target(_hpke, (InputError,)),
    "wire-log-break": Target(_log_break),
    "wire-report-sums": Target(_report),
    "wire-roles": Target(roles.decode_roles),
    "wire-new-password": Target(factors.NewPassword.decode, (InputError,)),
    "keystore-release-rules": Target(_release_rules, (InputError,)),
    "keystore-release-mailbox": Target(release_rules.MailboxRelease.decode, (InputError,)),
    "keystore-share": Target(lambda data: shares.decode_share(data.decode("utf-8", "replace")), (InputError,)),
}
