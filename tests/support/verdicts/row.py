"""One row of the table of verdicts, and the people in it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from support.certificates import NOW, rsa_key
from support.mail_people import MailRoot
from support.smime_layers import TEXT, opaque, with_header

from sealwright.smime.trust import Trust

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
ENCRYPTED, SIGNED, VALID, MATCHES = "encrypted", "signed", "valid", "matches"
GOOD = {SIGNED, VALID, MATCHES}
AUTHOR = "alice@example.test"
FROM_ALICE = b"From: Alice <alice@example.test>\r\nTo: bob@example.test\r\n"
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
    is_so: set[str] = field(default_factory=set)
    author: str | None = None
    codes: set[str] = field(default_factory=set)
    trust: Trust = TRUST
    body: Any = "Pay 10 to Bob.\n"
