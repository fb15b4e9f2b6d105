"""Whatever a certificate, a list or a response is made into: a refusal that has a name, or a path without what was changed."""

from contextlib import suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from support.foreign_ca import DAY, NOW, ocsp_response, point, revoked, root

from sealwright.errors import DecodingError, PathValidationError, VerificationError
from sealwright.pkix.extensions import UNDECODABLE
from sealwright.pkix.ocsp import nonce_of, read_response
from sealwright.pkix.path import validate_path
from sealwright.pkix.path_building import CertificatePool
from sealwright.pkix.signatures import WorkBudget

# a changed serial number may be negative
pytestmark = pytest.mark.filterwarnings(
    "ignore:Parsed a serial number:cryptography.utils.CryptographyDeprecationWarning"
)

ROOT = root()
POLICIES = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)])
SUB = ROOT.sub_ca(
    "Sub",
    x509.NameConstraints([x509.RFC822Name("example.test")], [x509.RFC822Name("bad@example.test")]),
    POLICIES,
    x509.PolicyConstraints(0, None),
)
LEAF = SUB.leaf("Alice", POLICIES)
RESPONSE = ocsp_response(LEAF, SUB, SUB)
OF_SUB = x509.CertificateIssuer([x509.DirectoryName(SUB.certificate.subject)])
ENTRY = revoked(SUB.leaf(), x509.ReasonFlags.superseded, NOW - DAY, (OF_SUB, True))
LIST = SUB.crl(ENTRY, point=point(indirect_crl=True))

MUTATIONS = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=3)


def mutated(der, mutations):
    changed = bytearray(der)
    for position, octet in mutations:
        changed[position % len(changed)] = octet
    return bytes(changed)


def validate(leaf, intermediates=(SUB.certificate,), crls=(), responses=()):
    return validate_path(
        leaf, intermediates, [ROOT.certificate], now=NOW, purpose="sign", crls=crls, ocsp_responses=responses
    )


def test_unchanged_it_is_good():
    assert validate(LEAF.certificate, crls=[LIST]).statuses[0].state == "good"
    assert validate(LEAF.certificate, responses=[RESPONSE]).statuses[0].state == "good"


@given(MUTATIONS)
@settings(max_examples=300, deadline=None)
def test_changed_certificates(mutations):
    for original in (LEAF.certificate, SUB.certificate):
        der = original.public_bytes(Encoding.DER)
        try:
            changed = x509.load_der_x509_certificate(mutated(der, mutations))
        except UNDECODABLE:
            continue
        if changed == original:
            continue
        is_leaf = original is LEAF.certificate
        try:
            path = validate(changed) if is_leaf else validate(LEAF.certificate, [changed])
        except PathValidationError as error:
            assert error.code
        else:
            raise AssertionError(path)


@given(MUTATIONS)
@settings(max_examples=300, deadline=None)
def test_changed_lists(mutations):
    try:
        changed = x509.load_der_x509_crl(mutated(LIST.public_bytes(Encoding.DER), mutations))
    except UNDECODABLE:
        return
    state = validate(LEAF.certificate, crls=[changed]).statuses[0].state
    assert state == ("good" if changed == LIST else "unknown")


@given(st.one_of(MUTATIONS.map(lambda mutations: mutated(RESPONSE, mutations)), st.binary(max_size=200)))
@settings(max_examples=300, deadline=None)
def test_changed_responses(der):
    pool = CertificatePool([ROOT.certificate], [], WorkBudget())
    try:
        read_response(der, LEAF.certificate, SUB.certificate, pool, allow_weak=False)
    except (DecodingError, VerificationError):
        assert der != RESPONSE
    with suppress(DecodingError):
        nonce_of(der)
    assert validate(LEAF.certificate, responses=[der]).statuses[0].state in ("good", "unknown")


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_extensions_of_nonsense(value):
    """Every extension that is read here, with a value that may be anything, in a CA that is otherwise right."""
    for oid in ("2.5.29.33", "2.5.29.36", "2.5.29.54", "2.5.29.30", "2.5.29.31", "2.5.29.32", "2.5.29.35"):
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
        ca = ROOT.sub_ca("Sub", extension)
        try:
            validate(ca.leaf().certificate, [ca.certificate])
        except PathValidationError as error:
            assert error.code
