"""Certificate policies as a graph (RFC 9618): what attackers make of mappings stays small."""

from itertools import pairwise

import pytest
from cryptography import x509
from support.foreign_ca import NOW, root

from sealwright.asn1.writer import tlv
from sealwright.errors import PathValidationError
from sealwright.pkix.path import validate_path
from sealwright.pkix.policies import ANY_POLICY, POLICY_MAPPINGS, PolicySettings, PolicyState

ROOT = root()


def policies(*oids):
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in oids])


def mappings(*pairs):
    encoded = [tlv(0x30, *(_oid(oid) for oid in pair)) for pair in pairs]
    return x509.UnrecognizedExtension(POLICY_MAPPINGS, tlv(0x30, *encoded))


def _oid(dotted):
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    octets = bytearray((40 * first + second,))
    for arc in rest:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        octets += bytes(reversed(groups))
    return tlv(0x06, bytes(octets))


def size_of_graph(count, depth):
    """Return nodes and edges after `depth` CAs with `count` policies, each mapped to each: count^depth paths in a tree."""
    oids = [f"1.2.3.{number}" for number in range(count)]
    extensions = ROOT.sub_ca(
        "CA", policies(*oids), mappings(*((one, other) for one in oids for other in oids))
    ).certificate.extensions
    state = PolicyState(PolicySettings(), depth + 1)
    for _ in range(depth):
        state.check_policies(extensions, is_leaf=False, is_self_issued=False)
        state.prepare_for_next(extensions, is_self_issued=False)
    leaf = ROOT.leaf("Alice", policies(*oids)).certificate.extensions
    state.check_policies(leaf, is_leaf=True, is_self_issued=False)
    assert state.wrap_up(leaf) == set(oids)
    return state.size


def test_the_attack_of_rfc_9618_costs_linear_work():
    """Section 3: with two policies in every certificate the tree of RFC 5280 doubles with each; the graph adds the same."""
    sizes = [size_of_graph(5, depth) for depth in range(1, 9)]
    steps = [after - before for before, after in pairwise(sizes)]
    assert len(set(steps)) == 1
    # nodes, edges and mappings: what the certificate writes down, twice
    assert steps[0] <= 3 * 5 * 5


def judged(leaf, *cas, **settings):
    settings = PolicySettings(**settings)
    certificates = [ca.certificate for ca in cas]
    try:
        path = validate_path(
            leaf.certificate, certificates, [ROOT.certificate], now=NOW, purpose="sign", policies=settings
        )
    except PathValidationError as error:
        return error.code
    return path.valid_policies


def test_a_policy_is_valid_in_the_domain_of_the_anchor():
    ca = ROOT.sub_ca("CA", policies("1.2.3"), mappings(("1.2.3", "1.2.4")))
    leaf = ca.leaf("Alice", policies("1.2.4"))
    assert judged(leaf, ca) == {"1.2.3"}
    assert judged(leaf, ca, initial_policies=frozenset(("1.2.4",)), require_explicit_policy=True) == "policy"
    assert judged(leaf, ca, inhibit_policy_mapping=True, require_explicit_policy=True) == "policy"
    assert judged(ca.leaf("Alice", policies("1.2.3")), ca) == set()


def test_any_policy_matches_unless_it_is_inhibited():
    ca = ROOT.sub_ca("CA", policies(ANY_POLICY))
    leaf = ca.leaf("Alice", policies("1.2.3"))
    assert judged(leaf, ca) == {"1.2.3"}
    assert judged(leaf, ca, inhibit_any_policy=True) == set()
    below = ca.sub_ca("Below", policies(ANY_POLICY), x509.InhibitAnyPolicy(0))
    assert judged(below.leaf("Alice", policies(ANY_POLICY)), ca, below, require_explicit_policy=True) == "policy"


def test_a_required_policy_must_be_there():
    ca = ROOT.sub_ca("CA", policies("1.2.3"), x509.PolicyConstraints(0, None))
    assert judged(ca.leaf("Alice", policies("1.2.3")), ca) == {"1.2.3"}
    assert judged(ca.leaf("Alice", policies("1.2.4")), ca) == "policy"
    assert judged(ca.leaf(), ca) == "policy"


@pytest.mark.parametrize("pair", [(ANY_POLICY, "1.2.3"), ("1.2.3", ANY_POLICY)])
def test_any_policy_is_not_mapped(pair):
    """RFC 5280 section 4.2.1.5: policies MUST NOT be mapped either to or from anyPolicy."""
    ca = ROOT.sub_ca("CA", policies("1.2.3"), mappings(pair))
    assert judged(ca.leaf("Alice", policies("1.2.3")), ca) == "policy"


def test_a_policy_that_is_named_twice_is_refused():
    """RFC 5280 section 4.2.1.4: a policy OID MUST NOT appear more than once."""
    ca = ROOT.sub_ca("CA", policies("1.2.3", "1.2.3"))
    assert judged(ca.leaf("Alice", policies("1.2.3")), ca) == "policy"


@pytest.mark.parametrize("value", [b"", b"\x05\x00", b"\x30\x02\x05\x00", b"\x30\x04\x30\x02\x06\x00", b"\x30\x80"])
def test_malformed_mappings_are_refused(value):
    ca = ROOT.sub_ca("CA", policies("1.2.3"), x509.UnrecognizedExtension(POLICY_MAPPINGS, value))
    assert judged(ca.leaf("Alice", policies("1.2.3")), ca) == "malformed"
