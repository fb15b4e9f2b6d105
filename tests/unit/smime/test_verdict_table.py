"""What may be said of a message: scenario -> message -> summary and cautions, exactly. Each row names what it rests on.

Whoever changes a row changes what people are told about who wrote to them.
"""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from support.certificates import NOW, rsa_key
from support.mail_people import MailRoot
from support.smime_layers import (
    FROM_ALICE,
    TEXT,
    encrypted,
    mixed,
    multipart_signed,
    opaque,
    signature_of,
    signed_clear,
    signed_opaque,
    with_header,
)

from sealwright.cms.compressed import compress
from sealwright.smime.cautions import CAUTIONS
from sealwright.smime.trust import Trust
from sealwright.smime.verdict import judge_message

ROOT, OTHER_ROOT = MailRoot(), MailRoot("Other")
ALICE, MALLORY, BOB = (ROOT.person(name) for name in ("alice", "mallory", "bob"))
STRANGER = OTHER_ROOT.person("alice")
EXPIRED = ROOT.person("alice", start=NOW - timedelta(days=99), end=NOW - timedelta(days=9))
NAMELESS = ROOT.person("alice", addresses=[])
SECRETARY = ROOT.person("secretary")
UPPER = ROOT.person("upper", addresses=["Alice@EXAMPLE.test"])
TWO = ROOT.person("two", addresses=["alice@example.test", "alice.smith@example.test"])
CODE_SIGNER = ROOT.person("alice", mail=False)
SAYS_NOTHING = ROOT.person("alice", says_uses=False)
RSA = ROOT.person("alice", key=rsa_key())
TRUST = ROOT.trust()
PLAIN = "plain"
ENCRYPTED, SIGNED, VALID, MATCHES = "encrypted", "signed", "valid", "matches"
GOOD = {SIGNED, VALID, MATCHES}
AUTHOR = "alice@example.test"
HTML = b"Content-Type: text/html\r\n\r\n<p>hi <img src='http://e/"
PROTECTED = with_header(TEXT, FROM_ALICE, protection="clear")
PROTECTED_CIPHER = with_header(TEXT, FROM_ALICE, protection="cipher")
HIDDEN = b"From: Alice <alice@example.test>\r\nTo: bob@example.test\r\nSubject: [...]\r\n"
CERTS_ONLY = opaque(
    # SignedData without content and without signers (RFC 8551 section 3.8)
    bytes.fromhex("302306092a864886f70d010702a016301402010131003 00b06092a864886f70d0107013100".replace(" ", "")),
    "certs-only",
)


@dataclass
class Row:
    name: str
    source: str
    message: bytes
    is_so: set = field(default_factory=set)
    author: str | None = None
    codes: set = field(default_factory=set)
    trust: Trust = TRUST
    body: str | None = "Pay 10 to Bob.\n"


ROWS = [
    # --- what is right
    Row("nothing is protected", "RFC 5322", FROM_ALICE + TEXT),
    Row("signed in clear", "RFC 8551 3.5.3", FROM_ALICE + signed_clear(TEXT, ALICE), GOOD, AUTHOR),
    Row("signed opaque", "RFC 8551 3.5.2", FROM_ALICE + signed_opaque(TEXT, ALICE), GOOD, AUTHOR),
    Row("signed with RSA", "RFC 8551 2.2", FROM_ALICE + signed_opaque(TEXT, RSA), GOOD, AUTHOR),
    Row("encrypted with AEAD", "RFC 8551 3.3", FROM_ALICE + encrypted(TEXT, BOB), {ENCRYPTED}),
    Row(
        "signed, then encrypted",
        "RFC 8551 3.7",
        FROM_ALICE + encrypted(signed_opaque(TEXT, ALICE), BOB),
        GOOD | {ENCRYPTED},
        AUTHOR,
    ),
    Row(
        "signed in clear, then encrypted with CBC: the signature shows changes",
        "RFC 8551 3.7, EFAIL",
        FROM_ALICE + encrypted(signed_clear(TEXT, ALICE), BOB, authenticated=False),
        GOOD | {ENCRYPTED},
        AUTHOR,
    ),
    Row(
        "triple wrapped: the innermost signature counts",
        "RFC 2634 1.1",
        FROM_ALICE + signed_opaque(encrypted(signed_opaque(TEXT, ALICE), BOB), MALLORY),
        GOOD | {ENCRYPTED},
        AUTHOR,
    ),
    Row(
        "signed twice: the innermost signature counts",
        "RFC 9787",
        FROM_ALICE + signed_opaque(signed_clear(TEXT, ALICE), MALLORY),
        GOOD,
        AUTHOR,
    ),
    Row(
        "a gateway made the whole message application/octet-stream",
        "RFC 8551 3.9",
        FROM_ALICE + opaque(signature_of(TEXT, ALICE), content_type="application/octet-stream"),
        GOOD,
        AUTHOR,
    ),
    Row(
        "the old name of the type",
        "RFC 8551 3.2",
        FROM_ALICE + opaque(signature_of(TEXT, ALICE), content_type="application/x-pkcs7-mime"),
        GOOD,
        AUTHOR,
    ),
    Row(
        "a store keeps bare line feeds",
        "RFC 8551 3.1.1",
        (FROM_ALICE + signed_clear(TEXT, ALICE)).replace(b"\r\n", b"\n"),
        GOOD,
        AUTHOR,
    ),
    Row(
        "micalg says what was not used",
        "RFC 8551 3.5.3.2: receivers need not rely on micalg",
        FROM_ALICE + signed_clear(TEXT, ALICE).replace(b"micalg=sha-1", b"micalg=md5"),
        GOOD,
        AUTHOR,
    ),
    Row(
        "the domain differs in case only",
        "RFC 8550 3: the domain MUST be compared case-insensitively",
        b"From: alice@Example.TEST\r\n" + signed_opaque(TEXT, UPPER),
        GOOD,
        AUTHOR,
    ),
    Row("one of several addresses", "RFC 8550 3", FROM_ALICE + signed_opaque(TEXT, TWO), GOOD, AUTHOR),
    Row(
        "compressed, then signed",
        "RFC 8551 3.6",
        FROM_ALICE + signed_opaque(opaque(compress(TEXT), "compressed-data"), ALICE),
        GOOD,
        AUTHOR,
    ),
    Row(
        "signed, then compressed",
        "RFC 8551 3.6, 3.7",
        FROM_ALICE + opaque(compress(signed_clear(TEXT, ALICE)), "compressed-data"),
        GOOD,
        AUTHOR,
    ),
    Row("compressed only", "RFC 8551 3.6: protects nothing", FROM_ALICE + opaque(compress(TEXT), "compressed-data")),
    Row(
        "a compressed part among others",
        "RFC 9787: left closed",
        FROM_ALICE + mixed(b"\r\nsee", opaque(compress(TEXT), "compressed-data")),
        body="see",
    ),
    # --- who signed
    Row(
        "signed by somebody else",
        "RFC 8550 3: From or Sender MUST match an address of the certificate",
        FROM_ALICE + signed_opaque(TEXT, MALLORY),
        {SIGNED, VALID},
        codes={"signer-is-not-from"},
    ),
    Row(
        "signed by the Sender",
        "RFC 8550 3; the author is who From names",
        FROM_ALICE + b"Sender: secretary@example.test\r\n" + signed_opaque(TEXT, SECRETARY),
        {SIGNED, VALID},
        codes={"signer-is-not-from", "signer-is-sender"},
    ),
    Row(
        "a certificate without an address",
        "RFC 8550 3: certificates without an address MUST be accepted",
        FROM_ALICE + signed_opaque(TEXT, NAMELESS),
        {SIGNED, VALID},
        codes={"certificate-without-address"},
    ),
    Row(
        "two signers, both valid",
        "RFC 5652 5.1, RFC 4853",
        FROM_ALICE + signed_opaque(TEXT, MALLORY, ALICE),
        GOOD,
        AUTHOR,
        {"several-signers"},
    ),
    Row(
        "two signers, one not trusted",
        "RFC 4853: each signer is judged",
        FROM_ALICE + signed_opaque(TEXT, ALICE, STRANGER),
        {SIGNED, MATCHES},
        codes={"several-signers", "signer-not-trusted"},
    ),
    Row(
        "a root that is not trusted",
        "RFC 5280 6.1",
        FROM_ALICE + signed_opaque(TEXT, STRANGER),
        {SIGNED, MATCHES},
        codes={"signer-not-trusted"},
    ),
    Row(
        "no root at all",
        "a signature without a trust anchor is never valid",
        FROM_ALICE + signed_opaque(TEXT, ALICE),
        {SIGNED, MATCHES},
        codes={"no-trust-anchor"},
        trust=Trust(now=NOW),
    ),
    Row(
        "an expired certificate",
        "RFC 5280 6.1.3 (a)(2)",
        FROM_ALICE + signed_opaque(TEXT, EXPIRED),
        {SIGNED, MATCHES},
        codes={"signer-not-trusted"},
    ),
    Row(
        "a revoked certificate",
        "RFC 8550 4.1",
        FROM_ALICE + signed_opaque(TEXT, ALICE),
        {SIGNED, MATCHES},
        codes={"signer-not-trusted"},
        trust=ROOT.trust(ALICE.certificate),
    ),
    Row(
        "a certificate for something else than mail",
        "RFC 8550 4.4.4: emailProtection or anyExtendedKeyUsage",
        FROM_ALICE + signed_opaque(TEXT, CODE_SIGNER),
        {SIGNED, MATCHES},
        codes={"signer-not-trusted"},
    ),
    Row(
        "a certificate that does not say what it is for",
        "RFC 8550 4.4.2 and 4.4.4: without the extensions it may be used for everything",
        FROM_ALICE + signed_opaque(TEXT, SAYS_NOTHING),
        GOOD,
        AUTHOR,
        {"no-key-usage", "no-extended-key-usage"},
    ),
    Row(
        "a certificate whose revocation is announced",
        "RFC 5280 5.3: what counts is the revocation date",
        FROM_ALICE + signed_opaque(TEXT, ALICE),
        GOOD,
        AUTHOR,
        {"revoked-later"},
        trust=ROOT.trust(crls=(ROOT.crl(ALICE.certificate, since=timedelta(hours=-2)),)),
    ),
    Row(
        "no revocation list",
        "RFC 8550 4.1; what is not known is told",
        FROM_ALICE + signed_opaque(TEXT, ALICE),
        GOOD,
        AUTHOR,
        {"revocation-unknown"},
        trust=ROOT.trust(crls=()),
    ),
    Row(
        "an address of a domain that the roots do not count for",
        "architecture 3.8: anchors count only for the organization's own domains",
        FROM_ALICE + signed_opaque(TEXT, ALICE),
        {SIGNED, MATCHES},
        codes={"signer-not-trusted"},
        trust=ROOT.trust(domain="elsewhere.test"),
    ),
    Row(
        "a time in the far future",
        "RFC 8551 2.5.2: capabilities of a far-future signing time MUST NOT be stored",
        FROM_ALICE + signed_opaque(TEXT, ALICE, time=NOW + timedelta(minutes=6)),
        GOOD,
        AUTHOR,
        {"signing-time-in-future"},
    ),
    Row(
        "a clock that is a little fast",
        "the tolerance is five minutes",
        FROM_ALICE + signed_opaque(TEXT, ALICE, time=NOW + timedelta(minutes=4)),
        GOOD,
        AUTHOR,
    ),
    # --- what was changed
    Row(
        "a changed text",
        "RFC 5652 5.6",
        (FROM_ALICE + signed_clear(TEXT, ALICE)).replace(b"Pay 10", b"Pay 99"),
        {SIGNED},
        codes={"signature-broken"},
        body="Pay 99 to Bob.\n",
    ),
    Row(
        "a part added to multipart/signed",
        "RFC 1847 2.1: exactly two parts",
        FROM_ALICE + multipart_signed(TEXT, signature_of(TEXT, ALICE, detached=True), extra=b"--sig\r\n\r\nmore\r\n"),
        {SIGNED},
        codes={"multipart-signed-malformed"},
        body="Pay 10 to Bob.\n\nmore",
    ),
    Row(
        "multipart/signed without its signature",
        "RFC 1847 2.1",
        FROM_ALICE + signed_clear(TEXT, ALICE).replace(b"pkcs7-signature; name", b"pdf; name"),
        {SIGNED},
        codes={"multipart-signed-malformed"},
    ),
    Row(
        "a detached signature that brings a content of its own",
        "CVE-2018-18509: detached with embedded content",
        FROM_ALICE + multipart_signed(TEXT.replace(b"10", b"99"), signature_of(TEXT, ALICE)),
        {SIGNED},
        codes={"unreadable-layer"},
        body="Pay 99 to Bob.\n",
    ),
    Row(
        "multipart/signed whose signature is no CMS",
        "RFC 8551 3.5.3",
        FROM_ALICE + multipart_signed(TEXT, b"\x30\x03\x02\x01\x00"),
        {SIGNED},
        codes={"unreadable-layer"},
    ),
    Row(
        "nobody signed",
        "RFC 5652 5.1: zero SignerInfos; never valid",
        FROM_ALICE + opaque(signature_of(TEXT), "signed-data"),
        codes={"no-signer"},
    ),
    # --- only a part is protected
    Row(
        "a footer below a signed part",
        "RFC 9787: a signature in multipart/mixed is an errant layer",
        FROM_ALICE + mixed(signed_clear(TEXT, ALICE), b"\r\na list's footer"),
        codes={"errant-signature"},
        body="Pay 10 to Bob.\n\na list's footer",
    ),
    Row(
        "a signed part alone in a multipart",
        "RFC 9787: errant",
        FROM_ALICE + mixed(signed_opaque(TEXT, ALICE)),
        codes={"errant-signature"},
        body="",
    ),
    Row(
        "an attachment outside the signature",
        "RFC 9787",
        FROM_ALICE + mixed(signed_clear(TEXT, ALICE), b"Content-Type: application/pdf\r\n\r\nx"),
        codes={"errant-signature"},
    ),
    Row(
        "an encrypted part between clear ones stays closed",
        "EFAIL, direct exfiltration; RFC 9787: errant",
        FROM_ALICE + mixed(HTML, encrypted(TEXT, BOB), b"Content-Type: text/html\r\n\r\n'>"),
        codes={"errant-encryption"},
        body="hi\n\n'>\n",
    ),
    Row(
        "an encrypted part hidden in a clear message is not decrypted for a reply",
        "Mueller et al. 2019, 'Re: What's up Johnny': decryption oracle by reply",
        FROM_ALICE + mixed(b"\r\nWhat do you think?", encrypted(TEXT, BOB)),
        codes={"errant-encryption"},
        body="What do you think?",
    ),
    Row(
        "an encrypted part inside the signed content stays closed, too",
        "RFC 9787",
        FROM_ALICE + signed_opaque(mixed(b"\r\nlook", encrypted(TEXT, BOB)), MALLORY),
        {SIGNED, VALID},
        codes={"errant-encryption", "signer-is-not-from"},
        body="look",
    ),
    Row(
        "smime.p7m as an attachment among others",
        "RFC 9787",
        FROM_ALICE + mixed(b"\r\nsee", opaque(signature_of(TEXT, ALICE), content_type="application/octet-stream")),
        codes={"errant-signature"},
        body="see",
    ),
    Row(
        "a forwarded signed message is an attachment",
        "RFC 9787: message/rfc822 is another message",
        FROM_ALICE
        + mixed(b"\r\nsee", b"Content-Type: message/rfc822\r\n\r\n" + FROM_ALICE + signed_clear(TEXT, ALICE)),
        body="see",
    ),
    # --- layers in the wrong order, or closed
    Row(
        "a signature around the encryption",
        "RFC 9787: it gives no author",
        FROM_ALICE + signed_opaque(encrypted(TEXT, BOB), ALICE),
        {ENCRYPTED},
        codes={"signature-outside-encryption"},
    ),
    Row(
        "no key",
        "RFC 5652 6; why is never told",
        FROM_ALICE + encrypted(signed_opaque(TEXT, ALICE), MALLORY),
        {ENCRYPTED},
        codes={"not-decrypted"},
        body=None,
    ),
    Row(
        "no key for the inner of two encryptions",
        "RFC 8551 3.7",
        FROM_ALICE + encrypted(encrypted(TEXT, MALLORY), BOB),
        {ENCRYPTED},
        codes={"not-decrypted"},
        body=None,
    ),
    Row(
        "a signature around what stays closed",
        "RFC 9787",
        FROM_ALICE + signed_opaque(encrypted(TEXT, MALLORY), ALICE),
        {ENCRYPTED},
        codes={"not-decrypted", "signature-outside-encryption"},
        body=None,
    ),
    Row(
        "CBC shows no changes",
        "EFAIL, malleability gadgets; RFC 8551 6",
        FROM_ALICE + encrypted(TEXT, BOB, authenticated=False),
        {ENCRYPTED},
        codes={"encryption-without-integrity"},
    ),
    Row(
        "CBC with a signature that does not hold",
        "EFAIL",
        FROM_ALICE + encrypted(signed_clear(TEXT, ALICE).replace(b"10", b"99"), BOB, authenticated=False),
        {ENCRYPTED, SIGNED},
        codes={"encryption-without-integrity", "signature-broken"},
        body="Pay 99 to Bob.\n",
    ),
    Row("certificates only", "RFC 8551 3.8", FROM_ALICE + CERTS_ONLY, codes={"certificates-only"}, body=None),
    Row(
        "a detached signature that lost its text",
        "RFC 8551 3.5.3",
        FROM_ALICE + opaque(signature_of(TEXT, ALICE, detached=True), "signed-data"),
        codes={"signed-content-missing"},
        body=None,
    ),
    Row(
        "signed-data that says it is enveloped",
        "RFC 8551 3.2.2; the content decides",
        FROM_ALICE + opaque(signature_of(TEXT, ALICE), "enveloped-data"),
        GOOD,
        AUTHOR,
        {"smime-type-mismatch"},
    ),
    Row(
        "octets that are no CMS",
        "RFC 8551 3.2",
        FROM_ALICE + opaque(b"nothing of the kind", "enveloped-data"),
        codes={"unreadable-layer", "smime-type-mismatch"},
        body=None,
    ),
    # --- From
    *(
        Row(f"From: {name}", "RFC 5322 3.6.2, 3.4", value + signed_opaque(TEXT, signer), is_so, author, codes)
        for name, value, signer, is_so, author, codes in [
            (
                "an address as display name",
                b'From: "alice@example.test" <mallory@example.test>\r\n',
                MALLORY,
                GOOD,
                "mallory@example.test",
                {"address-in-display-name"},
            ),
            (
                "an address as encoded display name",
                b"From: =?utf-8?q?alice=40example=2Etest?= <mallory@example.test>\r\n",
                MALLORY,
                GOOD,
                "mallory@example.test",
                {"address-in-display-name"},
            ),
            (
                "an address as comment",
                b"From: (alice@example.test) mallory@example.test\r\n",
                MALLORY,
                GOOD,
                "mallory@example.test",
                {"address-in-display-name"},
            ),
            (
                "a second field",
                b"From: alice@example.test\r\nFrom: mallory@example.test\r\n",
                MALLORY,
                {SIGNED, VALID},
                None,
                {"several-from-fields", "several-authors", "signer-is-not-from"},
            ),
            (
                "the same field twice",
                b"From: alice@example.test\r\nfrom: alice@example.test\r\n",
                ALICE,
                {SIGNED, VALID},
                None,
                {"several-from-fields", "signer-is-not-from"},
            ),
            (
                "two authors",
                b"From: alice@example.test, mallory@example.test\r\n",
                MALLORY,
                {SIGNED, VALID},
                None,
                {"several-authors", "signer-is-not-from"},
            ),
            ("nobody", b"Subject: x\r\n", ALICE, {SIGNED, VALID}, None, {"from-missing", "signer-is-not-from"}),
            (
                "a group",
                b"From: Staff: alice@example.test;\r\n",
                ALICE,
                {SIGNED, VALID},
                None,
                {"from-group", "signer-is-not-from"},
            ),
            (
                "a route",
                b"From: <@mallory.test:alice@example.test>\r\n",
                ALICE,
                {SIGNED, VALID},
                None,
                {"from-obsolete-route", "signer-is-not-from"},
            ),
            (
                "a null byte",
                b"From: alice@example.test\0 <mallory@example.test>\r\n",
                MALLORY,
                {SIGNED, VALID},
                None,
                {"from-malformed", "signer-is-not-from"},
            ),
            (
                "an address outside the brackets",
                b"From: alice@example.test <mallory@example.test>\r\n",
                MALLORY,
                {SIGNED, VALID},
                None,
                {"from-malformed", "signer-is-not-from"},
            ),
            (
                "an encoded word as local part",
                b"From: =?utf-8?q?alice=40example=2Etest?=@example.test\r\n",
                ALICE,
                {SIGNED, VALID},
                None,
                {"from-malformed", "signer-is-not-from"},
            ),
            (
                "space inside the address",
                b"From: alice @example.test\r\n",
                ALICE,
                {SIGNED, VALID},
                None,
                {"from-malformed", "signer-is-not-from"},
            ),
            (
                "space outside ASCII behind the address, which other programs count to it",
                "From: alice@example.test\u00a0\r\n".encode(),
                ALICE,
                {SIGNED, VALID},
                None,
                {"from-lookalike", "signer-is-not-from"},
            ),
            (
                "space outside ASCII before the address",
                "From: \u00a0alice@example.test\r\n".encode(),
                ALICE,
                {SIGNED, VALID},
                None,
                {"from-lookalike", "signer-is-not-from"},
            ),
            (
                "a line separator behind the address",
                "From: alice@example.test\u2028\r\n".encode(),
                ALICE,
                {SIGNED, VALID},
                None,
                {"from-malformed", "signer-is-not-from"},
            ),
            (
                "space outside ASCII in the name",
                "From: Jean\u00a0Dupont <alice@example.test>\r\n".encode(),
                ALICE,
                GOOD,
                AUTHOR,
                set(),
            ),
            (
                "an open quotation",
                b'From: "alice <alice@example.test>\r\n',
                ALICE,
                {SIGNED, VALID},
                None,
                {"from-malformed", "signer-is-not-from"},
            ),
            (
                "fullwidth letters",
                "From: alice@\uff45xample.test\r\n".encode(),
                ALICE,
                {SIGNED, VALID},
                None,
                {"from-lookalike", "signer-is-not-from"},
            ),
            (
                "a Kelvin sign that folds to k",
                "From: \u212aate@example.test\r\n".encode(),
                ROOT.person("kate"),
                {SIGNED, VALID},
                None,
                {"from-lookalike", "signer-is-not-from"},
            ),
            (
                "a Cyrillic letter",
                "From: \u0430lice@example.test\r\n".encode(),
                ALICE,
                {SIGNED, VALID},
                None,
                {"from-not-ascii", "signer-is-not-from"},
            ),
            (
                "a domain in letters of its own",
                "From: alice@bücher.test\r\n".encode(),
                ROOT.person("alice", addresses=["alice@xn--bcher-kva.test"]),
                GOOD,
                "alice@xn--bcher-kva.test",
                {"from-not-ascii"},
            ),
            (
                "comments where they belong",
                b"From: Alice (of Sales) <alice@example.test> (she)\r\n",
                ALICE,
                GOOD,
                AUTHOR,
                set(),
            ),
            ("folded", b"From: Alice\r\n <alice@example.test>\r\n", ALICE, GOOD, AUTHOR, set()),
        ]
    ),
    # --- header protection
    Row(
        "a protected header",
        "RFC 9788 2.1",
        FROM_ALICE + signed_clear(PROTECTED, ALICE),
        GOOD,
        AUTHOR,
    ),
    Row(
        "a protected header in an encrypted message",
        "RFC 9788 2.1",
        HIDDEN + encrypted(signed_opaque(PROTECTED_CIPHER, ALICE), BOB),
        GOOD | {ENCRYPTED},
        AUTHOR,
    ),
    Row(
        "outside somebody else is named",
        "RFC 9788 4.4: compared with the real outer From",
        HIDDEN.replace(b"alice", b"mallory") + encrypted(signed_opaque(PROTECTED_CIPHER, ALICE), BOB),
        GOOD | {ENCRYPTED},
        AUTHOR,
        {"outer-from-differs"},
    ),
    Row(
        "Mallory signs a header that names Alice",
        "RFC 9788 4.4, RFC 8550 3",
        FROM_ALICE.replace(b"alice", b"mallory") + signed_opaque(PROTECTED, MALLORY),
        {SIGNED, VALID},
        codes={"signer-is-not-from", "outer-from-differs"},
    ),
    Row(
        "HP-Outer lies about the outer header",
        "RFC 9788: the real outer From is compared",
        FROM_ALICE.replace(b"alice", b"mallory")
        + signed_opaque(with_header(PROTECTED, b"HP-Outer: From: mallory@example.test\r\n"), ALICE),
        GOOD,
        AUTHOR,
        {"outer-from-differs"},
    ),
    Row(
        "encryption alone vouches for no inner author",
        "RFC 9788 4.4",
        HIDDEN.replace(b"alice", b"mallory") + encrypted(PROTECTED_CIPHER, BOB),
        {ENCRYPTED},
        codes={"outer-from-differs"},
    ),
    Row(
        "hp on a message without protection",
        "RFC 9788 2.1: only inside a cryptographic payload",
        FROM_ALICE + TEXT.replace(b"utf-8", b'utf-8; hp="clear"'),
    ),
    Row(
        "hp below the root of the payload",
        "RFC 9788 2.1: only at the root of the Cryptographic Payload",
        FROM_ALICE
        + signed_opaque(mixed(with_header(TEXT, b"From: mallory@example.test\r\n", protection="clear")), ALICE),
        GOOD,
        AUTHOR,
    ),
    Row(
        "the message wrapped as message/rfc822",
        "RFC 8551 3.1, read only",
        HIDDEN + signed_opaque(b"Content-Type: message/rfc822; forwarded=no\r\n\r\n" + FROM_ALICE + TEXT, ALICE),
        GOOD,
        AUTHOR,
    ),
    Row(
        "a wrapped message without protection is an attachment",
        "RFC 9788: header protection needs a cryptographic payload",
        FROM_ALICE + b"Content-Type: message/rfc822; forwarded=no\r\n\r\n" + FROM_ALICE + TEXT,
        body="",
    ),
    Row(
        "a wrapped message that names Alice, signed by Mallory",
        "RFC 8551 3.1, RFC 8550 3",
        FROM_ALICE.replace(b"alice", b"mallory")
        + signed_opaque(b"Content-Type: message/rfc822; forwarded=no\r\n\r\n" + FROM_ALICE + TEXT, MALLORY),
        {SIGNED, VALID},
        codes={"signer-is-not-from", "outer-from-differs"},
    ),
    Row(
        "a signed forward",
        "RFC 8551 3.1: without forwarded=no it is another message",
        FROM_ALICE.replace(b"alice", b"mallory")
        + signed_opaque(b"Content-Type: message/rfc822\r\n\r\n" + FROM_ALICE + TEXT, MALLORY),
        GOOD,
        "mallory@example.test",
        body="",
    ),
    Row(
        "a second From inside the protected header",
        "RFC 5322 3.6",
        FROM_ALICE + signed_opaque(with_header(PROTECTED, b"From: mallory@example.test\r\n"), ALICE),
        {SIGNED, VALID},
        codes={"several-from-fields", "several-authors", "signer-is-not-from", "outer-from-differs"},
    ),
    # --- MIME that can be read in two ways
    Row(
        "two content types outside",
        "RFC 2045 3: one Content-Type",
        FROM_ALICE + b"Content-Type: text/plain\r\n" + signed_opaque(TEXT, ALICE),
        codes={"duplicate-content-field"},
        body=...,
    ),
    Row(
        "a second content type after the first",
        "RFC 2045 3",
        FROM_ALICE
        + b"X: y\r\n"
        + signed_opaque(TEXT, ALICE).replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain\r\n\r\n", 1),
        GOOD,
        codes={"duplicate-content-field"},
    ),
    Row(
        "two content types inside",
        "RFC 2045 3",
        FROM_ALICE
        + signed_opaque(b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nPay 10 to Bob.\r\n", ALICE),
        GOOD,
        codes={"duplicate-content-field"},
    ),
    Row(
        "a transfer encoding on a multipart",
        "RFC 2045 6.4: only 7bit, 8bit and binary",
        FROM_ALICE + signed_opaque(b"Content-Transfer-Encoding: base64\r\n" + mixed(TEXT), ALICE),
        GOOD,
        AUTHOR,
        {"unknown-transfer-encoding"},
    ),
    Row(
        "a transfer encoding that nobody knows",
        "RFC 2045 6.3",
        FROM_ALICE + b"Content-Transfer-Encoding: x-rot13\r\n" + TEXT,
        codes={"unknown-transfer-encoding"},
    ),
    Row(
        "a piece of a message",
        "RFC 8551 3.9, RFC 2046 5.2.2",
        FROM_ALICE + b"Content-Type: message/partial; id=a; number=1; total=2\r\n\r\n" + TEXT,
        codes={"message-partial"},
        body="",
    ),
    Row(
        "a part that lies elsewhere is not fetched",
        "RFC 2046 5.2.3; EFAIL back channels",
        FROM_ALICE
        + signed_opaque(
            b'Content-Type: message/external-body; access-type=URL; URL="http://e.test/"\r\n\r\n' + TEXT, ALICE
        ),
        GOOD,
        AUTHOR,
        {"message-external-body"},
        body="",
    ),
    Row(
        "OpenPGP is not read",
        "RFC 3156",
        FROM_ALICE + signed_clear(TEXT, ALICE).replace(b"application/pkcs7-signature", b"application/pgp-signature"),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_said_of_a_message(row):
    verdict = judge_message(row.message, BOB.find_keys, row.trust)
    summary = verdict.summary
    said = {
        name
        for name, is_so in (
            (ENCRYPTED, summary.encrypted),
            (SIGNED, summary.signed),
            (VALID, summary.signature_valid),
            (MATCHES, summary.signer_matches_from),
        )
        if is_so
    }
    assert (said, summary.authentic_author) == (row.is_so, row.author)
    assert {each.code for each in verdict.cautions} == row.codes
    assert row.body is ... or verdict.body_text == row.body


def test_names_are_unique_and_sources_given():
    assert len({row.name for row in ROWS}) == len(ROWS) >= 80
    assert all(row.source for row in ROWS)


def test_every_caution_has_a_scenario():
    elsewhere = {"weak-signature", "weak-encryption", "signer-has-ended"}  # tests of their own, with openssl
    assert set(CAUTIONS) - elsewhere == {code for row in ROWS for code in row.codes}


@pytest.mark.parametrize("row", [row for row in ROWS if row.author], ids=lambda row: row.name)
def test_an_author_needs_every_step(row):
    summary = judge_message(row.message, BOB.find_keys, row.trust).summary
    assert summary.signed
    assert summary.signature_valid
    assert summary.signer_matches_from
    assert judge_message(row.message, BOB.find_keys, Trust(now=NOW)).summary.authentic_author is None


def test_capabilities_are_learnt_from_valid_signatures_of_the_present_only():
    def capabilities(message, trust=TRUST):
        return judge_message(message, BOB.find_keys, trust).signature.signers[0].capabilities

    assert capabilities(FROM_ALICE + signed_opaque(TEXT, ALICE))
    assert capabilities(FROM_ALICE + signed_opaque(TEXT, ALICE, time=NOW + timedelta(minutes=6))) == b""
    assert capabilities(FROM_ALICE + signed_opaque(TEXT, ALICE), Trust(now=NOW)) == b""
    assert capabilities((FROM_ALICE + signed_clear(TEXT, ALICE)).replace(b"10", b"99")) == b""
