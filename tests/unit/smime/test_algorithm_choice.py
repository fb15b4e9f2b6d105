"""Which algorithms, and how many copies: whole tables."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from support.certificates import NOW, ec_key, rsa_key, self_signed

from sealwright.cms import algorithms
from sealwright.smime import capabilities
from sealwright.smime.algorithm_choice import Algorithms, Recipient, choose, plan_copies

CA = ec_key()


def issued(public_key, name, extension=b""):
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(issuer, issuer, public_key, x509.random_serial_number())
    builder = builder.not_valid_before(NOW).not_valid_after(NOW)
    if extension:
        oid = x509.ObjectIdentifier(algorithms.SMIME_CAPABILITIES)
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, extension), critical=False)
    return builder.sign(CA, hashes.SHA256())


RSA = self_signed(rsa_key(), "rsa")
EC = self_signed(ec_key(), "ec")
X25519 = issued(x25519.X25519PrivateKey.generate().public_key(), "x25519")
KEM = issued(mlkem.MLKEM768PrivateKey.generate().public_key(), "kem")
SEALWRIGHT = capabilities.announced([RSA.public_key(), EC.public_key()])
OLD = capabilities.named("aes-256-cbc", "aes-128-cbc", "des-ede3-cbc")
WEAK = capabilities.named("des-ede3-cbc", "rc2-cbc")
GCM = capabilities.named("aes-256-gcm", "aes-256-cbc")
DERIVING = capabilities.named("aes-256-gcm", "cek-hkdf-sha256")
BINARY = capabilities.named("aes-256-cbc", "prefer-binary-inside")
CBC_V15 = Algorithms("aes-256-cbc", "rsa-pkcs1-v1.5", derive_key=False)

CHOICES = {
    "nothing is known: what NSS, gpgsm, Outlook and Thunderbird read": ([(RSA, None)], CBC_V15),
    "an old program says so": ([(RSA, OLD)], CBC_V15),
    "a program that only knows 3DES still gets nothing weaker than AES": ([(RSA, WEAK)], CBC_V15),
    "a program that lists nothing we know": ([(RSA, capabilities.Capabilities())], CBC_V15),
    "one reads GCM": ([(RSA, GCM)], Algorithms("aes-256-gcm")),
    "our own program": (
        [(RSA, SEALWRIGHT)],
        Algorithms("aes-256-gcm", "rsa-oaep-sha256", derive_key=True, binary_inside=True),
    ),
    "binary inside, and no better cipher": ([(RSA, BINARY), (RSA, BINARY)], Algorithms(binary_inside=True)),
    "binary inside only where everybody announces it": ([(RSA, BINARY), (RSA, OLD)], CBC_V15),
    "everybody reads GCM, one reads no OAEP": ([(RSA, SEALWRIGHT), (RSA, GCM)], Algorithms("aes-256-gcm")),
    "one of two is unknown": ([(RSA, SEALWRIGHT), (RSA, None)], CBC_V15),
    "RFC 9709 only where everybody announces it": ([(RSA, DERIVING), (RSA, GCM)], Algorithms("aes-256-gcm")),
    "RFC 9709": ([(RSA, DERIVING), (EC, DERIVING)], Algorithms("aes-256-gcm", derive_key=True)),
    "an elliptic curve says nothing about the cipher": ([(EC, None)], CBC_V15),
    "X25519 came with GCM": ([(X25519, None)], Algorithms("aes-256-gcm")),
    "ML-KEM came after GCM": ([(KEM, None)], Algorithms("aes-256-gcm")),
    "X25519 with somebody unknown": ([(X25519, None), (EC, None)], CBC_V15),
    "the certificate says it": (
        [(issued(RSA.public_key(), "c", capabilities.encode(GCM)), None)],
        Algorithms("aes-256-gcm"),
    ),
    "what was learnt counts more than the certificate": (
        [(issued(RSA.public_key(), "c", capabilities.encode(GCM)), OLD)],
        CBC_V15,
    ),
}


@pytest.mark.parametrize(("recipients", "expected"), CHOICES.values(), ids=CHOICES.keys())
def test_the_best_that_everybody_reads(recipients, expected):
    assert choose([Recipient(*recipient) for recipient in recipients]) == expected


COPIES = {
    # what: (recipients, own, positions of each copy, copies that the sender can read)
    "one kind, one copy": ([(RSA, None), (RSA, None)], (RSA, SEALWRIGHT), [(0, 1)], [True]),
    "an old RSA reader never sees a key agreement": ([(RSA, None), (EC, None)], None, [(1,), (0,)], []),
    "a modern RSA reader may": ([(RSA, SEALWRIGHT), (EC, None)], None, [(0, 1)], []),
    "modern ones join the old": ([(RSA, None), (RSA, SEALWRIGHT)], None, [(0, 1)], []),
    "three forms": ([(RSA, None), (EC, None), (KEM, None)], None, [(0,), (1,), (2,)], []),
    "all modern": ([(RSA, SEALWRIGHT), (EC, GCM), (KEM, None), (X25519, None)], None, [(0, 1, 2, 3)], []),
    "the modern elliptic curve joins the elliptic curve": (
        [(RSA, None), (EC, None), (EC, GCM)],
        None,
        [(0,), (1, 2)],
        [],
    ),
    "an elliptic sender and an old RSA reader": ([(RSA, None)], (EC, SEALWRIGHT), [(0,), ()], [False, True]),
    "an elliptic sender reads the copy that bears him": (
        [(RSA, None), (EC, None)],
        (EC, SEALWRIGHT),
        [(0,), (1,)],
        [False, True],
    ),
    "an RSA sender reads every copy": ([(RSA, None), (EC, None)], (RSA, SEALWRIGHT), [(0,), (1,)], [True, True]),
}


@pytest.mark.parametrize(("recipients", "own", "positions", "readable"), COPIES.values(), ids=COPIES.keys())
def test_copies(recipients, own, positions, readable):
    sender = (
        Recipient(own[0] if own[0] not in (RSA, EC) else issued(own[0].public_key(), "own"), own[1]) if own else None
    )
    copies = plan_copies([Recipient(*recipient) for recipient in recipients], sender)
    assert sorted(copy.positions for copy in copies) == sorted(positions)
    if sender is not None:
        found = {copy.positions: sender.certificate in copy.certificates for copy in copies}
        assert found == dict(zip(positions, readable, strict=True))


OWN_KEM = issued(mlkem.MLKEM768PrivateKey.generate().public_key(), "own kem")
LARGE = issued(mlkem.MLKEM1024PrivateKey.generate().public_key(), "large")
READS_KEM = capabilities.announced([RSA.public_key(), KEM.public_key()])
READS_LARGE = capabilities.announced([RSA.public_key(), LARGE.public_key()])
PAIR, OWN_PAIR = Recipient(RSA, None, KEM), Recipient(EC, READS_KEM, OWN_KEM)
PAIRS = {
    # what: (recipients, own, whether the second certificates are used)
    "nothing is known but the directory's word": ([PAIR], OWN_PAIR, True),
    "every device announces it": ([Recipient(RSA, READS_KEM, KEM)], OWN_PAIR, True),
    "a device reads none": ([Recipient(RSA, SEALWRIGHT, KEM)], OWN_PAIR, False),
    "an old program is one of the readers": ([Recipient(RSA, OLD, KEM)], OWN_PAIR, False),
    "a device reads ML-KEM of another size": ([Recipient(RSA, READS_KEM, LARGE)], OWN_PAIR, False),
    "of the same size": ([Recipient(RSA, READS_LARGE, LARGE)], OWN_PAIR, True),
    "one of two has no pair": ([PAIR, Recipient(RSA)], OWN_PAIR, False),
    "the sender has no pair": ([PAIR], Recipient(EC, SEALWRIGHT), False),
    "the sender's other device reads none": ([PAIR], Recipient(EC, SEALWRIGHT, OWN_KEM), False),
    "nobody has a pair": ([Recipient(RSA)], Recipient(EC), False),
    "no sender": ([PAIR], None, True),
}


@pytest.mark.parametrize(("recipients", "own", "used"), PAIRS.values(), ids=PAIRS.keys())
def test_pairs(recipients, own, used):
    copies = plan_copies(recipients, own)
    certificates = {certificate for copy in copies for certificate in copy.certificates}
    kem = {one.kem_certificate for one in (*recipients, own) if one is not None} - {None}
    if used:
        (copy,) = copies
        assert certificates == kem
        assert copy.algorithms.cipher == "aes-256-gcm"
        assert copy.positions == tuple(range(len(recipients)))
    else:
        assert not certificates & kem


@pytest.mark.parametrize("own", [None, (RSA, None), (EC, SEALWRIGHT), (KEM, None)])
def test_every_recipient_is_in_exactly_one_copy_and_the_sender_in_one_at_least(own):
    kinds = [RSA, EC, X25519, KEM]
    known = [None, OLD, GCM]
    recipients = [Recipient(issued(kind.public_key(), "r"), it) for kind in kinds for it in known]
    sender = Recipient(*own) if own else None
    copies = plan_copies(recipients, sender)
    assert sorted(position for copy in copies for position in copy.positions) == list(range(len(recipients)))
    for copy in copies:
        assert [recipients[position].certificate for position in copy.positions] == list(
            copy.certificates[: len(copy.positions)]
        )
        old_rsa = [p for p in copy.positions if kinds[p // 3] is RSA and known[p % 3] is not GCM]
        agreed = [one for one in copy.certificates if not hasattr(one.public_key(), "encrypt")]
        assert not (old_rsa and agreed)
    if sender is not None:
        assert any(sender.certificate in copy.certificates for copy in copies)


def test_without_recipients_there_is_the_senders_copy():
    (copy,) = plan_copies([], Recipient(RSA))
    assert (copy.positions, copy.certificates) == ((), (RSA,))
