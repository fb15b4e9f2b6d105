"""Paths that hold and paths that must not: each refusal has a test that fails without its check."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from sealwright.errors import PathValidationError
from sealwright.pkix.crl import RevokedEntry, crl_builder
from sealwright.pkix.path import validate_path
from sealwright.pkix.profiles import (
    Holder,
    OrganizationName,
    Placement,
    intermediate_builder,
    issuer_name,
    root_builder,
    subscriber_builder,
    subscriber_key_usage,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)
START = NOW - timedelta(days=1)
ORGANIZATION = OrganizationName("Example GmbH", "DE")
ROOT_KEY, CA_KEY, LEAF_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
HOLDER = Holder(("alice@example.test",))


def placement(issuer: x509.Certificate) -> Placement:
    return Placement(issuer, x509.random_serial_number(), START, "http://ca.test/a.crl", "http://ca.test/a.crt")


ROOT = root_builder(issuer_name(ORGANIZATION, "Root"), ROOT_KEY.public_key(), 7, START).sign(ROOT_KEY, hashes.SHA256())


def make_ca(*extra: tuple[x509.ExtensionType, bool], is_tls: bool = False) -> x509.Certificate:
    builder = intermediate_builder(placement(ROOT), issuer_name(ORGANIZATION, "CA"), CA_KEY.public_key(), is_tls=is_tls)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical)
    return builder.sign(ROOT_KEY, hashes.SHA256())


CA = make_ca()


def make_leaf(ca: x509.Certificate = CA, usage: str = "signing", holder: Holder = HOLDER) -> x509.Certificate:
    builder = subscriber_builder(placement(ca), ORGANIZATION, holder, LEAF_KEY.public_key(), usage)
    return builder.sign(CA_KEY, hashes.SHA256())


def test_a_right_path_is_found_among_strangers() -> None:
    leaf = make_leaf()
    assert validate_path(leaf, [make_leaf(), CA], [ROOT], now=NOW, purpose="sign").certificates == (leaf, CA, ROOT)


def test_purpose_follows_key_usage() -> None:
    with pytest.raises(PathValidationError, match="not made to encrypt"):
        validate_path(make_leaf(), [CA], [ROOT], now=NOW, purpose="encrypt")
    validate_path(make_leaf(usage="encryption"), [CA], [ROOT], now=NOW, purpose="encrypt")


@pytest.mark.parametrize(
    ("now", "code"), [(START - timedelta(seconds=1), "not-yet-valid"), (NOW + timedelta(days=824), "expired")]
)
def test_time_counts(now: datetime, code: str) -> None:
    with pytest.raises(PathValidationError) as caught:
        validate_path(make_leaf(), [CA], [ROOT], now=now, purpose="sign")
    assert caught.value.code == code


def test_an_intermediate_is_no_anchor() -> None:
    with pytest.raises(PathValidationError, match="no path"):
        validate_path(make_leaf(), [CA, ROOT], [], now=NOW, purpose="sign")


def test_a_leaf_cannot_issue() -> None:
    issuing_leaf = make_leaf()
    builder = subscriber_builder(placement(issuing_leaf), ORGANIZATION, HOLDER, CA_KEY.public_key(), "signing")
    forged = builder.sign(LEAF_KEY, hashes.SHA256())
    with pytest.raises(PathValidationError, match="no CA"):
        validate_path(forged, [issuing_leaf, CA], [ROOT], now=NOW, purpose="sign")


def test_path_length_is_enforced() -> None:
    name = issuer_name(ORGANIZATION, "Sub CA")
    below = intermediate_builder(placement(CA), name, CA_KEY.public_key(), is_tls=False).sign(CA_KEY, hashes.SHA256())
    with pytest.raises(PathValidationError, match="longer"):
        validate_path(make_leaf(below), [below, CA], [ROOT], now=NOW, purpose="sign")


def test_a_tls_issuer_is_not_for_mail() -> None:
    ca = make_ca(is_tls=True)
    with pytest.raises(PathValidationError, match="not for mail"):
        validate_path(make_leaf(ca), [ca], [ROOT], now=NOW, purpose="sign")


def test_unknown_critical_extensions_are_refused() -> None:
    ca = make_ca((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True))
    with pytest.raises(PathValidationError, match="critical"):
        validate_path(make_leaf(ca), [ca], [ROOT], now=NOW, purpose="sign")


@pytest.mark.parametrize(
    ("permitted", "excluded", "address", "is_valid"),
    [
        ("example.test", None, "alice@example.test", True),
        ("example.test", None, "alice@sub.example.test", False),
        (".example.test", None, "alice@sub.example.test", True),
        (".example.test", None, "alice@example.test", False),
        ("alice@example.test", None, "bob@example.test", False),
        (None, "example.test", "alice@example.test", False),
        (None, "other.test", "alice@example.test", True),
        ("example.test", None, "älice@other.test", False),
        ("example.test", None, "älice@example.test", True),
    ],
)
def test_name_constraints(permitted: str | None, excluded: str | None, address: str, is_valid: bool) -> None:
    constraints = x509.NameConstraints(
        [x509.RFC822Name(permitted)] if permitted else None, [x509.RFC822Name(excluded)] if excluded else None
    )
    ca = make_ca((constraints, True))
    leaf = make_leaf(ca, holder=replace(HOLDER, addresses=(address,)))
    if is_valid:
        validate_path(leaf, [ca], [ROOT], now=NOW, purpose="sign")
    else:
        with pytest.raises(PathValidationError, match="may not issue"):
            validate_path(leaf, [ca], [ROOT], now=NOW, purpose="sign")


def test_a_constraint_that_cannot_be_read_refuses() -> None:
    ca = make_ca((x509.NameConstraints([x509.RFC822Name("*.example.test")], None), True))
    with pytest.raises(PathValidationError, match="cannot be checked"):
        validate_path(make_leaf(ca), [ca], [ROOT], now=NOW, purpose="sign")


def test_revocation_counts_only_on_the_issuers_word() -> None:
    leaf = make_leaf()
    builder = crl_builder(CA, [RevokedEntry(leaf.serial_number, NOW, "superseded")], 1, NOW, NOW + timedelta(days=7))
    forged = builder.sign(LEAF_KEY, hashes.SHA256())
    validate_path(leaf, [CA], [ROOT], now=NOW, purpose="sign", crls=[forged])
    crl = builder.sign(CA_KEY, hashes.SHA256())
    with pytest.raises(PathValidationError, match="revoked"):
        validate_path(leaf, [CA], [ROOT], now=NOW, purpose="sign", crls=[forged, crl])
    validate_path(leaf, [CA], [ROOT], now=NOW - timedelta(seconds=1), purpose="sign", crls=[crl])


def test_small_rsa_keys_are_refused() -> None:
    small = rsa.generate_private_key(65537, 1024)
    builder = subscriber_builder(placement(CA), ORGANIZATION, HOLDER, small.public_key(), "signing")
    with pytest.raises(PathValidationError, match="weak"):
        validate_path(builder.sign(CA_KEY, hashes.SHA256()), [CA], [ROOT], now=NOW, purpose="sign")


def test_a_foreign_leaf_need_not_say_what_it_is_for() -> None:
    """RFC 8550 sections 4.4.2 and 4.4.4: where keyUsage or extendedKeyUsage is absent, the key is for everything."""
    builder = x509.CertificateBuilder(ROOT.subject, CA.subject, LEAF_KEY.public_key(), 9, START, NOW + timedelta(9))
    path = validate_path(builder.sign(ROOT_KEY, hashes.SHA256()), [], [ROOT], now=NOW, purpose="sign")
    assert path.warnings == ("no-key-usage", "no-extended-key-usage", "status-unknown")
    builder = builder.add_extension(subscriber_key_usage(LEAF_KEY.public_key(), "signing"), True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
    path = validate_path(builder.sign(ROOT_KEY, hashes.SHA256()), [], [ROOT], now=NOW, purpose="sign")
    assert path.warnings == ("status-unknown",)


def test_many_certificates_of_one_name_and_key_cost_one_step_each() -> None:
    name = issuer_name(ORGANIZATION, "Loop")
    loops = [
        root_builder(name, CA_KEY.public_key(), number + 1, START).sign(CA_KEY, hashes.SHA256()) for number in range(20)
    ]
    leaf = make_leaf(loops[0])
    with pytest.raises(PathValidationError) as caught:
        validate_path(leaf, loops, [ROOT], now=NOW, purpose="sign")
    assert caught.value.code == "no-path"


def test_path_building_is_bounded() -> None:
    """Nine CAs that all certify each other: more than 100,000 paths, and none leads to a root."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(9)]
    names = [issuer_name(ORGANIZATION, f"CA {number}") for number in range(9)]
    clique = []
    for issuer, key in zip(names, keys, strict=True):
        for subject, subject_key in zip(names, keys, strict=True):
            builder = x509.CertificateBuilder(issuer, subject, subject_key.public_key(), 9, START, NOW + timedelta(9))
            clique.append(builder.sign(key, hashes.SHA256()))
    builder = x509.CertificateBuilder(names[0], CA.subject, LEAF_KEY.public_key(), 9, START, NOW + timedelta(9))
    leaf = builder.sign(keys[0], hashes.SHA256())
    with pytest.raises(PathValidationError) as caught:
        validate_path(leaf, clique, [ROOT], now=NOW, purpose="sign")
    assert caught.value.code == "too-many-steps"


@pytest.mark.parametrize("purpose", ["sign", "any"])
def test_a_trusted_root_is_no_end_entity(purpose: str) -> None:
    """RFC 5280 section 6.1: the trust anchor is not part of the path, so a path cannot consist of nothing else."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Alice")])
    builder = x509.CertificateBuilder(name, name, LEAF_KEY.public_key(), 5, START, NOW + timedelta(days=30))
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.RFC822Name("alice@example.test")]), critical=False
    )
    self_signed = builder.sign(LEAF_KEY, hashes.SHA256())
    for leaf in (self_signed, ROOT):
        with pytest.raises(PathValidationError, match="itself a trusted root") as error:
            validate_path(leaf, [], [ROOT, self_signed], now=NOW, purpose=purpose)
        assert error.value.code == "leaf-is-anchor"
    with pytest.raises(PathValidationError) as error:
        validate_path(self_signed, [self_signed], [ROOT], now=NOW, purpose=purpose)
    assert error.value.code == "no-path"
