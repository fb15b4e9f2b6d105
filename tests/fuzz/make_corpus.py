"""Writes the seeds of the corpus that are not vectors: one small honest input for each format, and crafted ones.

Run in the root of the repository: `PYTHONPATH=tests python -m fuzz.make_corpus`. Keys are new each time; files that fuzzing
found (`found-*`) stay.
"""

import base64
from datetime import timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key
from cryptography.x509 import ocsp
from fuzz.targets import CORPUS, DEVICE, ISSUER_KEY, LEAF, NOW, ROOT
from support.certificates import ec_key, self_signed
from support.forged import Forged, attribute, oid, typical
from support.mail_people import MailPerson, MailRoot
from support.smime_layers import TEXT, encrypted, mixed, signed_clear, signed_opaque, with_header
from unit.cms.test_timestamp import TOKENS, WANTED
from unit.smime.test_tnef import tnef

from sealwright.asn1.writer import tlv
from sealwright.cms import compressed, schema, signed
from sealwright.cms.recipient_encoding import encode_recipient_info
from sealwright.cms.recipients import wrapped_keys
from sealwright.cms.signers import PrivateKeySigner
from sealwright.keystore.release_rules import MailboxRelease, ReleaseRules
from sealwright.keystore.shares import Share, encode_share
from sealwright.smime import capabilities
from sealwright.tlog.checkpoint import Checkpoint
from sealwright.tlog.layout import encode_bundle
from sealwright.tlog.leaf import LeafRecord
from sealwright.tlog.note import VerifierKey
from sealwright.tlog.witness import AddCheckpoint
from sealwright.wire import dpop, escrow, manifest, signed_request, statement
from sealwright.wire.factors import NewPassword
from sealwright.wire.log_break import LogBreak
from sealwright.wire.report import encode_sums
from sealwright.wire.roles import encode_roles

VECTORS = CORPUS.parents[1] / "vectors"
ALICE_KEY = load_der_private_key((VECTORS / "rfc9216" / "04_PRIVATE_KEY.der").read_bytes(), None)
ALICE = MailPerson(ALICE_KEY, LEAF)
READER = MailPerson(None, x509.load_pem_x509_certificate((VECTORS / "openssl-3.6.5" / "p256.pem").read_bytes()))
FROM = b"From: Alice <alice@smime.example>\r\nTo: bob@example.test\r\nSubject: =?utf-8?q?H=C3=A9llo?=\r\n"
HTML = b"""<!DOCTYPE html><html><head><style>p{color:red}</style><title>t</title></head><body><!-- c -->
<div class="header-protection-legacy-display"><pre>Subject: x</pre></div><p>one &amp; two<br>three</p><script>1</script></body>"""


def main() -> None:
    """Write every seed."""
    entity = TEXT.replace(b"Bob", b"you")
    clear, opaque = signed_clear(entity, ALICE, time=NOW), signed_opaque(entity, ALICE, time=NOW)
    both = encrypted(opaque, READER)
    page = b"Content-Type: text/html; charset=utf-8\r\n\r\n" + HTML
    file = b"Content-Type: application/x; name=a.bin\r\nContent-Disposition: attachment; filename*=utf-8''%e2%82%ac.bin\r\n\r\nx"
    everything = mixed(mixed(entity, page, kind="alternative", boundary="alt"), file, clear)
    messages = {
        "plain": FROM + b"\r\ntext\r\n",
        "clear": FROM + clear,
        "opaque": FROM + opaque,
        "both": FROM + both,
        "cbc": FROM + encrypted(entity, READER, authenticated=False),
        "mixed": FROM + everything,
        "protected": FROM + signed_clear(with_header(entity, FROM, protection="clear"), ALICE, time=NOW),
        "two-from": FROM + b"From: eve@example.test\r\nSender: s@example.test\r\n" + clear,
        "rfc822": FROM + mixed(b"Content-Type: message/rfc822\r\n\r\n" + FROM + clear),
        "nested": FROM
        + b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(40)),
        "tnef": FROM
        + b"Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(tnef()),
    }
    write("smime-message", **messages)
    write("inspect", **{name: messages[name] for name in ("clear", "both")})
    write("smime-entity", **{name: messages[name] for name in ("plain", "mixed", "nested", "rfc822", "tnef")})
    write("smime-html", page=HTML, open=b"<div class=x><!--", entities=b"&#x41;&notit;&#99999999;<p")
    write(
        "smime-header",
        usual=FROM + b"\r\n",
        groups=b'From: friends: a@example.test, "b, c" <b@example.test>;, <c@d>\r\nSender: (a(b)) d@e\r\n\r\n',
        folded=b'Content-Type: text/plain;\r\n charset*0*=utf-8\'en\'a%20;\r\n charset*1="b\\"c"; x="\r\n\r\n',
        words=b"Subject: =?utf-8?b?4pyT?= =?x?q?_=?= =?utf-8*en?Q?a?=\r\nFrom: =?utf-8?q?a=40b?= <a@b>\r\n\r\n",
    )
    rich = tnef(text=b"text", unicode_text="text")
    write("smime-tnef", plain=tnef(), rich=rich)
    write("smime-capabilities", ours=capabilities.encode(capabilities.announced()))
    _write_cms(entity)
    _write_pkix()
    _write_wire()


def _write_cms(entity: bytes) -> None:
    signer = PrivateKeySigner(LEAF, ALICE_KEY)
    detached = signed.sign(entity, [signer], detached=True, signing_time=NOW)
    opaque = signed.sign(entity, [signer], detached=False, signing_time=NOW)
    forged = Forged(signer, b"x", typical(b"x"), unsigned=attribute("1.2.840.113549.1.9.6", tlv(0x30)))
    for target in ("cms-examine", "cms-examine-stream", "cms-unsigned-attributes", "cms-load", "asn1-ber"):
        write(target, rsa=opaque, forged=forged.message())
    write("cms-examine-detached", rsa=detached)
    write("cms-certificates-only", two=signed.certificates_only([LEAF, ROOT]))
    write("cms-compressed", small=compressed.compress(entity), bomb=compressed.compress(bytes(1 << 20)))
    tokens = {f"token{number}": token for number, (token, _) in enumerate(list(TOKENS.values())[:3])}
    granted = tlv(0x30, tlv(0x30, b"\x02\x01\x00"), tokens["token0"])
    write(
        "cms-timestamp-response",
        granted=granted,
        refused=tlv(0x30, tlv(0x30, b"\x02\x01\x02", tlv(0x30, tlv(0x0C, b"no")))),
    )
    write("cms-tst-info", least=tlv(0x30, *WANTED))
    chunks = b"".join(tlv(0x04, b"a") for _ in range(200))
    write(
        "asn1-ber",
        chunks=b"\x30\x80"
        + oid("1.2.840.113549.1.7.2")
        + b"\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80"
        + oid("1.2.840.113549.1.7.1")
        + b"\xa0\x80\x24\x80"
        + chunks
        + b"\0\0" * 3
        + b"\x31\x00"
        + b"\0\0" * 3,
        deep=b"\x30\x80" * 100,
        long=b"\x30\x88" + b"\x7f" * 8,
    )


def _write_pkix() -> None:
    root = MailRoot()
    person = root.person("alice")
    crl = root.crl(person.certificate)
    write("pkix-crl", der=crl.public_bytes(Encoding.DER), pem=crl.public_bytes(Encoding.PEM))
    builder = ocsp.OCSPResponseBuilder().add_response(
        LEAF, ROOT, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, NOW, NOW + timedelta(days=1), None, None
    )
    response = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, root.certificate).sign(root.key, hashes.SHA256())
    write("pkix-ocsp", good=response.public_bytes(Encoding.DER), busy=b"\x30\x03\x0a\x01\x03")
    write(
        "pkix-address",
        plain=b"Alice@Example.Test",
        quoted=b'"a b"@example.test',
        idn="ä@bücher.example".encode(),
        two=b"a@b@c",
    )
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(ec_key(), hashes.SHA256())
    write("pkix-request", p256=request.public_bytes(Encoding.DER))
    write("pkix-certificate", self_signed=self_signed(ec_key(), "x").public_bytes(Encoding.DER))
    write("certificate-file", pem=self_signed(ec_key(), "x").public_bytes(Encoding.PEM))


def _write_wire() -> None:
    write(
        "mail-challenge",
        header=f"Sealwright-Challenge: v=1; enrolment=e; part1={'A' * 43}; device={'ab' * 32}; domain=d\r\n\r\n".encode(),
    )
    write("tlog-note", note=Checkpoint("log.example.test", 7, bytes(32)).encode().rstrip("\n").encode())
    write("tlog-path", tile=b"tile/0/x001/x234/067.p/8", entries=b"tile/entries/000")
    write("tlog-bundle", two=b"\x01" + encode_bundle((b"", bytes(32))))
    write("tlog-verifier-key", log=VerifierKey("log.example.test", bytes(32)).encode().encode())
    write("tlog-witness", asked=AddCheckpoint(7, (bytes(32),), "text\n\n— w AAAAAAA=\n").encode())
    known = LogBreak(origin="log", number=1795600000, size=7, root=bytes(32), reason="restored")
    write("wire-log-break", text=known.encode().encode())
    write("wire-report-sums", sums=encode_sums({"report.csv": b"", "report.pdf": b""}))
    record = LeafRecord("key.release", "a" * 32, "organization", 1, bytes(32), NOW, {"mailbox": "m"})
    write("tlog-leaf", record=record.encode())
    write("tlog-proof", some=bytes((0, 3, 0, 7, 0, 2)) + bytes(96))
    keys = (manifest.ReleasedKey("a" * 32, b"pkcs8"),)
    write("wire-fields", keys=manifest.encode_released_keys(keys))
    write("wire-base64url", text=b"AAECAw", padded=b"AA==")
    escrowed = escrow.EscrowStatement(
        organization_id="a" * 32, mailbox_id="b" * 32, addresses=("a@example.test",), spki=b"spki", slot="classical",
        generation=1, proof_method="mailbox", proof_time=NOW, expires=NOW + timedelta(days=1),
    )  # fmt: skip
    write("wire-escrow", statement=msgspec.json.encode(escrowed))
    said = statement.DomainStatement(
        version=1, domain="example.test", organization_id="a" * 32, organization_name="Example", sequence=1, issued=NOW,
        expires=NOW + timedelta(days=1), previous_hash=b"", endpoints=("https://127.0.0.1",), tls_anchors=(),
        smime_anchors=(), release_key=ISSUER_KEY, log_origin="log", log_key=ISSUER_KEY,
    )  # fmt: skip
    write("wire-statement", statement=msgspec.json.encode(said))
    header = b'{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"@X","y":"@Y"}}'
    claims = f'{{"jti":"j","htm":"POST","htu":"https://kms.example.test/a","iat":{int(NOW.timestamp())}}}'.encode()
    write("wire-dpop", proof=header + b"\n\n" + claims)
    write("wire-dpop-jwt", jwt=dpop.make_proof(DEVICE, "GET", "https://kms.example.test/", "token", None, NOW).encode())
    body, uri = b"body", "https://kms.example.test/a"
    fields = signed_request.sign_request(DEVICE, "POST", uri, body, NOW, "nonce", "key")
    lines = "".join(f"{name}: {value}\n" for name, value in fields.items())
    write("wire-signed-request", post=f"POST {uri}\n{lines}\n".encode() + body)
    write("wire-hpke-key", zeros=bytes(1216))
    for name in ("rsa2048", "p256", "mlkem768"):
        message = (VECTORS / "openssl-3.6.5" / f"openssl365-{name}-aes256.der").read_bytes()
        (wrapped, *_) = wrapped_keys(schema.load_content(message).recipient_infos.as_list())
        write("cms-recipient-info", **{name: encode_recipient_info(wrapped)})
    write("wire-new-password", first=NewPassword(bytes(32), b"", "ABCDEFGHJKLMNPQRSTUV").encode())
    write("wire-roles", two=encode_roles(("auditor", "security-officer")), none=encode_roles(()))
    rules = ReleaseRules(level=3, networks=("192.0.2.0/24", "2001:db8::/32"), hours=("mon-fri 07:00-19:00 UTC",))
    write("keystore-release-rules", usual=ReleaseRules().encode(), strict=rules.encode())
    write("keystore-release-mailbox", usual=MailboxRelease().encode(), group=MailboxRelease("a" * 32, True).encode())
    write("keystore-share", share=encode_share(Share("operator", b"set1", 2, 1, bytes(32))).encode())


def write(target: str, **seeds: bytes) -> None:
    """Write the seeds of a target under their names."""
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in seeds.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
