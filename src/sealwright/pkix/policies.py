"""Certificate policies as the graph of RFC 9618 (it replaces the tree of RFC 5280, which an attacker can make explode).

A node is one policy at one depth. Its parents are the nodes one depth above that expected it, so that nodes and edges are
at most as many as the policies and mappings that the certificates write down. Steps are numbered as in RFC 5280 section 6.1
with the changes of RFC 9618 section 5. Qualifiers are not processed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from cryptography import x509
from cryptography.hazmat import asn1

from sealwright.asn1.writer import tlv
from sealwright.errors import PathValidationError
from sealwright.pkix.extensions import find_extension

ANY_POLICY = "2.5.29.32.0"
POLICY_MAPPINGS = x509.ObjectIdentifier("2.5.29.33")


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """What the user asks of policies (RFC 5280 section 6.1.1 (c), (e)-(g)).

    Attributes:
        initial_policies: Acceptable policies, dotted (user-initial-policy-set); anyPolicy for all.
        require_explicit_policy: The path must be valid for at least one of them.
        inhibit_policy_mapping: Mappings count for nothing.
        inhibit_any_policy: anyPolicy in a certificate matches nothing.
    """

    initial_policies: frozenset[str] = frozenset((ANY_POLICY,))
    require_explicit_policy: bool = False
    inhibit_policy_mapping: bool = False
    inhibit_any_policy: bool = False


@dataclass(slots=True)
class _Node:
    """A policy at one depth: the policies expected below, and the valid policies of its parents."""

    expected: set[str]
    parents: set[str] = field(default_factory=set)


@asn1.sequence
class _PolicyMapping:
    issuer_domain_policy: x509.ObjectIdentifier
    subject_domain_policy: x509.ObjectIdentifier


@asn1.sequence
class _PolicyMappings:  # a list cannot be decoded by itself
    mappings: list[_PolicyMapping]


class PolicyState:
    """Policy processing along a path, from the certificate below the anchor to the leaf.

    Args:
        settings: What the user asks.
        length: Certificates of the path, without the anchor.
    """

    def __init__(self, settings: PolicySettings, length: int) -> None:
        # 6.1.2 (a) One node, anyPolicy, at depth 0. (d)-(f) The counters.
        self._settings = settings
        self._levels: list[dict[str, _Node]] | None = [{ANY_POLICY: _Node({ANY_POLICY})}]
        self._explicit_policy = 0 if settings.require_explicit_policy else length + 1
        self._policy_mapping = 0 if settings.inhibit_policy_mapping else length + 1
        self._inhibit_any_policy = 0 if settings.inhibit_any_policy else length + 1
        self.size = 1
        """Nodes and edges made so far."""

    def check_policies(self, extensions: x509.Extensions, *, is_leaf: bool, is_self_issued: bool) -> None:
        """Take up a certificate's policies (section 6.1.3 (d)-(f)).

        Raises:
            PathValidationError: "policy", if an explicit policy is required and none is left.
        """
        found = _policies(extensions)
        if found is None:
            self._levels = None  # (e)
        elif self._levels is not None:
            any_policy_counts = self._inhibit_any_policy > 0 or (not is_leaf and is_self_issued)
            level = self._next_level(self._levels[-1], found, any_policy_counts=any_policy_counts)
            self._levels = [*self._levels, level] if level else None  # (d) (3)
        # (f) One is left where one is required.
        if self._explicit_policy == 0 and self._levels is None:
            raise PathValidationError("the path is valid for no certificate policy, and one is required", "policy")

    def _next_level(self, above: dict[str, _Node], found: set[str], *, any_policy_counts: bool) -> dict[str, _Node]:
        """Return the nodes of the next depth (section 6.1.3 (d) (1) and (2))."""
        expected: dict[str, set[str]] = {}
        for policy, node in above.items():
            for one in node.expected:
                expected.setdefault(one, set()).add(policy)
        level: dict[str, _Node] = {}
        for policy in found - {ANY_POLICY}:
            if policy in expected:  # (1) (i)
                level[policy] = _Node({policy}, expected[policy])
            elif ANY_POLICY in above:  # (1) (ii)
                level[policy] = _Node({policy}, {ANY_POLICY})
        if ANY_POLICY in found and any_policy_counts:  # (2)
            for policy in expected.keys() - level.keys():
                level[policy] = _Node({policy}, expected[policy])
        self.size += sum(1 + len(node.parents) for node in level.values())
        return level

    def prepare_for_next(self, extensions: x509.Extensions, *, is_self_issued: bool) -> None:
        """Take up an issuer's mappings and constraints (section 6.1.4 (a), (b), (h)-(j)).

        Raises:
            PathValidationError: "policy", if anyPolicy is mapped or the extensions are malformed.
        """
        self._map(_mappings(extensions))
        if not is_self_issued:  # (h)
            self._explicit_policy = max(self._explicit_policy - 1, 0)
            self._policy_mapping = max(self._policy_mapping - 1, 0)
            self._inhibit_any_policy = max(self._inhibit_any_policy - 1, 0)
        constraints = find_extension(extensions, x509.PolicyConstraints)
        if constraints is not None:  # (i)
            self._explicit_policy = _lower(self._explicit_policy, constraints.require_explicit_policy)
            self._policy_mapping = _lower(self._policy_mapping, constraints.inhibit_policy_mapping)
        inhibit = find_extension(extensions, x509.InhibitAnyPolicy)
        if inhibit is not None:  # (j)
            self._inhibit_any_policy = _lower(self._inhibit_any_policy, inhibit.skip_certs)

    def _map(self, mappings: dict[str, set[str]]) -> None:
        # (a) Neither side is anyPolicy.
        if ANY_POLICY in mappings or any(ANY_POLICY in subject for subject in mappings.values()):
            raise PathValidationError("a certificate of the path maps anyPolicy", "policy")
        if self._levels is None or not mappings:
            return
        level = self._levels[-1]
        # (b) (2) Where mapping is inhibited, mapped policies end here.
        if self._policy_mapping == 0:
            for policy in mappings:
                level.pop(policy, None)
            if not level:
                self._levels = None
            return
        # (b) (1) Below, the subject's domain uses other policies for the same thing.
        any_policy = level.get(ANY_POLICY)
        for policy, subject in mappings.items():
            if policy in level:
                level[policy].expected = subject
            elif any_policy is not None:
                level[policy] = _Node(subject, {ANY_POLICY})
                self.size += 2
            self.size += len(subject)

    def wrap_up(self, extensions: x509.Extensions) -> frozenset[str]:
        """Finish with the leaf (section 6.1.5 (a), (b), (g)).

        Returns:
            The policies of the user that the path is valid for (user-constrained-policy-set); empty for none.

        Raises:
            PathValidationError: "policy", if an explicit policy is required and none is left.
        """
        self._explicit_policy = max(self._explicit_policy - 1, 0)  # (a)
        constraints = find_extension(extensions, x509.PolicyConstraints)
        if constraints is not None and constraints.require_explicit_policy == 0:  # (b)
            self._explicit_policy = 0
        # (g) Those that the user accepts of the policies in the anchor's domain.
        authority, user = self._authority_policies(), self._settings.initial_policies
        accepted = user & authority
        if ANY_POLICY in user or ANY_POLICY in authority:
            accepted = authority if ANY_POLICY in user else user
        if self._explicit_policy == 0 and not accepted:
            raise PathValidationError("the path is valid for no certificate policy, and one is required", "policy")
        return accepted

    def _authority_policies(self) -> frozenset[str]:
        """Return the policies with anyPolicy as parent from which the leaf's depth is reached."""
        if self._levels is None:
            return frozenset()
        reached = set(self._levels[-1])
        if ANY_POLICY in reached:  # only a row of anyPolicy leads to it
            return frozenset((ANY_POLICY,))
        found: set[str] = set()
        for level in reversed(self._levels[1:]):
            found |= {policy for policy in reached if ANY_POLICY in level[policy].parents and policy != ANY_POLICY}
            reached = {parent for policy in reached for parent in level[policy].parents}
        return frozenset(found)


def _lower(counter: int, value: int | None) -> int:
    return counter if value is None else min(counter, value)


def _policies(extensions: x509.Extensions) -> set[str] | None:
    found = find_extension(extensions, x509.CertificatePolicies)
    if found is None:
        return None
    policies = [policy.policy_identifier.dotted_string for policy in found]
    if len(set(policies)) != len(policies):  # section 4.2.1.4: MUST NOT appear more than once
        raise PathValidationError("a certificate of the path names a policy twice", "policy")
    return set(policies)


def _mappings(extensions: x509.Extensions) -> dict[str, set[str]]:
    try:
        extension = extensions.get_extension_for_oid(POLICY_MAPPINGS)
    except x509.ExtensionNotFound:
        return {}
    value = cast("x509.UnrecognizedExtension", extension.value).value
    try:
        pairs: Iterable[_PolicyMapping] = asn1.decode_der(_PolicyMappings, tlv(0x30, value)).mappings
    except ValueError as error:
        raise PathValidationError("the policy mappings of a certificate cannot be decoded", "malformed") from error
    mappings: dict[str, set[str]] = {}
    for pair in pairs:
        subject = mappings.setdefault(pair.issuer_domain_policy.dotted_string, set())
        subject.add(pair.subject_domain_policy.dotted_string)
    return mappings
