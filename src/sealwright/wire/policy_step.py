"""A weaker release policy as two security officers approve it: content of a proposal of kind "policy.change"."""

from msgspec import Struct

POLICY_CHANGE = "policy.change"


class PolicyStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row that is to follow another.

    Attributes:
        row_kind: "release-policy" or "release-mailbox".
        row_id: 32 hex digits: the organization, a group, or a mailbox.
        name: For people: the group or the address; empty for the organization.
        from_version: Of the row that it follows.
        content: What it will say, as the keystore encodes it.
        says: The same for people; the keystore compares.
    """

    row_kind: str
    row_id: str
    name: str
    from_version: int
    content: bytes
    says: dict[str, str]
