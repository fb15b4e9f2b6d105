"""Name constraints as truth tables (RFC 5280 section 4.2.1.10, RFC 9598 section 6): each form, permitted and excluded."""

from ipaddress import ip_address, ip_network

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from support.foreign_ca import NOW, root

from sealwright.errors import PathValidationError
from sealwright.pkix import name_constraints
from sealwright.pkix.names import SMTP_UTF8_MAILBOX
from sealwright.pkix.path import validate_path

ROOT = root()
MAIL, DNS, URI = x509.RFC822Name, x509.DNSName, x509.UniformResourceIdentifier


def utf8(address):
    encoded = address.encode()
    return x509.OtherName(SMTP_UTF8_MAILBOX, bytes((0x0C, len(encoded))) + encoded)


def ip(text):
    return x509.IPAddress(ip_address(text))


def net(text):
    return x509.IPAddress(ip_network(text))


def dn(*parts):
    oids = {"C": NameOID.COUNTRY_NAME, "O": NameOID.ORGANIZATION_NAME, "CN": NameOID.COMMON_NAME}
    return x509.Name(
        [x509.NameAttribute(oids[kind], value) for kind, _, value in (part.partition("=") for part in parts)]
    )


def directory(*parts):
    return x509.DirectoryName(dn(*parts))


# constraint, name, whether the name lies in the subtree
SUBTREES = [
    (MAIL("example.test"), MAIL("a@example.test"), True),
    (MAIL("example.test"), MAIL("a@EXAMPLE.TEST"), True),
    (MAIL("EXAMPLE.test"), MAIL("a@example.test"), True),
    (MAIL("example.test"), MAIL("a@sub.example.test"), False),
    (MAIL("example.test"), MAIL("a@notexample.test"), False),
    (MAIL(".example.test"), MAIL("a@sub.example.test"), True),
    (MAIL(".example.test"), MAIL("a@b.sub.example.test"), True),
    (MAIL(".example.test"), MAIL("a@example.test"), False),
    (MAIL(".example.test"), MAIL("a@notexample.test"), False),
    (MAIL("a@example.test"), MAIL("a@example.test"), True),
    (MAIL("a@example.test"), MAIL("b@example.test"), False),
    (MAIL("a@example.test"), MAIL("a@sub.example.test"), False),
    (MAIL("example.test"), utf8("ä@example.test"), True),
    (MAIL("example.test"), utf8("ä@other.test"), False),
    (MAIL(".example.test"), utf8("ä@sub.example.test"), True),
    (MAIL("xn--exmple-cua.test"), utf8("ä@exämple.test"), True),  # RFC 8398 had U-labels
    (MAIL("xn--exmple-cua.test"), utf8("ä@xn--exmple-cua.test"), True),
    (DNS("example.test"), DNS("example.test"), True),
    (DNS("example.test"), DNS("Host.Example.test"), True),
    (DNS("example.test"), DNS("a.b.example.test"), True),
    (DNS("example.test"), DNS("notexample.test"), False),
    (DNS("host.example.test"), DNS("example.test"), False),
    (URI("example.test"), URI("http://example.test/x"), True),
    (URI("example.test"), URI("http://user@example.test:80/x"), True),
    (URI("example.test"), URI("http://sub.example.test/"), False),
    (URI(".example.test"), URI("http://sub.example.test/"), True),
    (URI(".example.test"), URI("http://example.test/"), False),
    (URI("example.test"), URI("http://other.test/?example.test"), False),
    (net("10.1.0.0/16"), ip("10.1.2.3"), True),
    (net("10.1.0.0/16"), ip("10.2.2.3"), False),
    (net("10.1.0.0/16"), ip("2001:db8::1"), False),
    (net("2001:db8::/32"), ip("2001:db8::1"), True),
    (net("2001:db8::/32"), ip("2001:db9::1"), False),
    (directory("C=DE"), directory("C=DE", "O=Example"), True),
    (directory("C=DE", "O=Example"), directory("C=DE", "O=  EXAMPLE "), True),
    (directory("C=DE", "O=Example"), directory("C=DE", "O=Example", "CN=x"), True),
    (directory("C=DE", "O=Example"), directory("C=DE"), False),
    (directory("C=DE", "O=Example"), directory("C=DE", "O=Example2"), False),
    (directory("O=Example"), directory("C=DE", "O=Example"), False),
]
# constraint and name of which nobody can say whether it lies in it
CANNOT_BE_COMPARED = [
    (MAIL("*.example.test"), MAIL("a@example.test")),
    (MAIL("@example.test"), MAIL("a@example.test")),
    (MAIL("example.test"), MAIL('"a b"@example.test')),
    (MAIL("example.test"), MAIL("a@[10.0.0.1]")),
    (MAIL("example.test"), MAIL("nobody")),
    (DNS(".example.test"), DNS("a.example.test")),
    (DNS("example.test"), DNS("*.example.test")),
    (DNS("example.test"), DNS("a..example.test")),
    (URI("example.test"), URI("urn:example:test")),
    (URI("example.test"), URI("http://10.0.0.1/")),
    (URI("example.test"), URI("http://[::1]/")),
    (x509.RegisteredID(x509.ObjectIdentifier("1.2.3")), x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))),
    (
        x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"),
        x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"),
    ),
    (utf8("ä@example.test"), utf8("ä@example.test")),  # RFC 9598 section 6: such constraints MUST NOT be used
]


def code(constraints, *names, subject="Alice"):
    """Return "" if a leaf with these names is accepted below the constraints, else the code."""
    path = [ROOT]
    for permitted, excluded in constraints:
        path.append(path[-1].sub_ca(f"CA {len(path)}", x509.NameConstraints(permitted, excluded)))
    leaf = path[-1].leaf(subject, x509.SubjectAlternativeName(list(names)))
    certificates = [party.certificate for party in path[1:]]
    try:
        validate_path(leaf.certificate, certificates, [ROOT.certificate], now=NOW, purpose="sign")
    except PathValidationError as error:
        return error.code
    return ""


REFUSED = "name-constraints"


@pytest.mark.parametrize(("subtree", "name", "is_within"), SUBTREES)
def test_a_name_is_in_a_subtree_or_not(subtree, name, is_within):
    directory_is_constrained = isinstance(subtree, x509.DirectoryName)
    subject = x509.Name([]) if directory_is_constrained else "Alice"
    assert code([([subtree], None)], name, subject=subject) == ("" if is_within else REFUSED)
    assert code([(None, [subtree])], name, subject=subject) == (REFUSED if is_within else "")


@pytest.mark.parametrize(("subtree", "name"), CANNOT_BE_COMPARED)
def test_what_cannot_be_compared_is_refused(subtree, name):
    """Section 4.2.1.10: an application MUST process the constraint or reject the certificate."""
    assert code([([subtree], None)], name) == REFUSED
    assert code([(None, [subtree])], name) == REFUSED


def test_a_constraint_binds_its_own_form_only():
    assert code([([MAIL("example.test")], None)], DNS("other.test")) == ""
    assert code([([DNS("example.test")], None)], MAIL("a@other.test")) == ""
    unknown = x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))
    assert code([([unknown], None)], MAIL("a@other.test")) == ""


def test_every_name_counts_and_every_ca_above():
    wide, narrow = [MAIL("example.test"), MAIL(".example.test")], [MAIL("sub.example.test")]
    inside, outside = MAIL("a@sub.example.test"), MAIL("a@example.test")
    assert code([(wide, None)], inside, outside) == ""
    assert code([(wide, None), (narrow, None)], inside) == ""
    assert code([(wide, None), (narrow, None)], inside, outside) == REFUSED
    assert code([(narrow, None), (wide, None)], outside) == REFUSED
    assert code([(wide, narrow)], outside) == ""
    assert code([(wide, narrow)], inside) == REFUSED  # excluded goes before permitted


def test_addresses_in_the_subject_are_bound_too():
    """Section 4.2.1.10: rfc822Name constraints apply to emailAddress in the subject."""
    subject = x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@other.test")])
    assert code([([MAIL("example.test")], None)], DNS("x.test"), subject=subject) == REFUSED
    assert code([([MAIL("other.test")], None)], DNS("x.test"), subject=subject) == ""


def test_the_subject_is_a_directory_name():
    assert code([([directory("C=DE", "CN=Alice")], None)], MAIL("a@example.test")) == ""
    assert code([([directory("C=FR")], None)], MAIL("a@example.test")) == REFUSED


def test_comparisons_are_bounded():
    assert name_constraints.MAX_COMPARISONS < 400 * 300
    many = [MAIL(f"host{number}.test") for number in range(400)]
    names = [MAIL(f"a@host{number}.test") for number in range(300)]
    assert code([(many, None)], *names) == "too-many-steps"
