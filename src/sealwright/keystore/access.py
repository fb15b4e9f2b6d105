"""Whether a device meets the release policy of its mailbox: who may have keys, or have them used, and from where and when.

Every way in which a device gets at private keys asks here: sealed delivery and remote decryption.
"""

from dataclasses import replace
from datetime import datetime

from sealwright.errors import ApprovalsMissingError, ConflictError, DecodingError, PermissionDeniedError
from sealwright.keystore.model import DeviceCredential, ReleasePolicy, VouchedRow
from sealwright.keystore.release_rules import LEVELS, MailboxRelease, MailboxRules, ReleaseRules
from sealwright.keystore.sign_on import SIGN_ON, SignOn
from sealwright.keystore.versions import RowName, Versions
from sealwright.keystore.vouching import Vouching
from sealwright.wire.encoding import sha256

POLICY = "release-policy"
MAILBOX = "release-mailbox"
_DEVICE = "device"
_FOLLOWING = {"active": {"locked", "removed"}, "locked": {"active", "removed"}, "removed": set[str]()}
"""State -> what may come next."""


class DeviceAccess:
    """Vouches for devices and release policies, and checks both.

    Args:
        vouching: MACs of this keystore.
        versions: The newest version of each row.
    """

    def __init__(self, vouching: Vouching, versions: Versions) -> None:
        self._vouching, self._versions = vouching, versions

    def check_access(self, credential: DeviceCredential, policy: ReleasePolicy, now: datetime, source: str) -> None:
        """Check that a device may get at the keys of its mailbox.

        Args:
            credential: The device.
            policy: Of its mailbox.
            now: By the keystore's own clock.
            source: IP address that asks, as the caller says.

        Raises:
            ApprovalsMissingError: If the policy's level is higher than the device's.
            PermissionDeniedError: If a row is not the newest that was vouched for, the device is not active, or a rule
                forbids it.
        """
        # 1 The device is as vouched for, and active.
        self.check_device(credential)
        if credential.state != "active":
            raise PermissionDeniedError(
                f"the device is {credential.state}" if credential.state == "locked" else "the device was removed"
            )
        # 2 The policy is of the same mailbox, and nothing of it is missing.
        rules = self.rules_of(policy, credential.organization_id, credential.mailbox_id)
        # 3 Level, place and time.
        rules.check(credential.level, now, source)

    def check_device(self, credential: DeviceCredential) -> None:
        """Check that a device's row is the newest that was vouched for.

        Raises:
            PermissionDeniedError: If it is not.
        """
        self._vouching.check_device(credential)
        self._versions.check(_name(credential), credential.version)

    def check_active(self, credential: DeviceCredential) -> None:
        """Check that a device may prove something: its row is the newest, or the newest one was lost on its way.

        Raises:
            PermissionDeniedError: If the row was changed, or the device is or was meanwhile made anything but active.
        """
        self._vouching.check_device(credential)
        newest = self._versions.newest(_name(credential))
        is_lost = newest.version > credential.version and newest.content in {_said("active", each) for each in LEVELS}
        if credential.state != "active" or not (newest.version <= credential.version or is_lost):
            raise PermissionDeniedError("the device is not active: it proves nothing")

    def rules_of(self, policy: ReleasePolicy, organization_id: str, mailbox_id: str) -> MailboxRules:
        """Return the rules of a mailbox after checking the rows that hold them.

        Raises:
            PermissionDeniedError: If a row is changed, old, missing, or of something else.
        """
        # 1 The organization's rules.
        found = [self._rules(policy.organization, organization_id, organization_id)]
        # 2 What was said of the mailbox, if anything ever was.
        said = MailboxRelease()
        if policy.mailbox is None:
            self._versions.check(RowName(MAILBOX, organization_id, mailbox_id), 0)
        else:
            said = MailboxRelease.decode(self._content(policy.mailbox, MAILBOX, organization_id, mailbox_id))
        # 3 The rules of its group.
        if said.group_id and policy.group is not None:
            found.append(self._rules(policy.group, organization_id, said.group_id))
        elif said.group_id or policy.group is not None:
            raise PermissionDeniedError("the release policy is not the one of this mailbox's group")
        return MailboxRules(tuple(found), said.frozen)

    def enrol(self, credential: DeviceCredential) -> DeviceCredential:
        """Vouch for a new device: active, version 1, level 1."""
        return self._vouching.vouch_device(replace(credential, state="active", version=1, level=1))

    def change_device(self, credential: DeviceCredential, state: str) -> DeviceCredential:
        """Vouch for a device's next state; from now on its older rows are none, also if the caller keeps them.

        Raises:
            PermissionDeniedError: If the credential was not vouched for.
            ConflictError: If it has the state already or was removed, or has another one by now.
            UnavailableError: If the change cannot be written down.
        """
        self._vouching.check_device(credential)
        if state not in _FOLLOWING.get(credential.state, set()):
            raise ConflictError(f"the device is {credential.state} already: it cannot become {state}")
        return self._follow(replace(credential, state=state))

    def raise_level(self, credential: DeviceCredential, level: int) -> DeviceCredential:
        """Vouch for a level whose factor was just checked; a device that has it keeps its row.

        Raises:
            PermissionDeniedError: If the device is not active.
            ConflictError: If its row was changed meanwhile.
            UnavailableError: If it cannot be written down.
        """
        self.check_active(credential)
        if level not in LEVELS:
            raise PermissionDeniedError("there is no such level")
        if level <= credential.level:
            return credential
        return self._follow(replace(credential, level=level))

    def vouch_release_rules(
        self, organization_id: str, row_id: str, rules: ReleaseRules, from_version: int, *, is_approved: bool = False
    ) -> VouchedRow:
        """Vouch for rules; weaker ones only if that was approved.

        Raises:
            InputError: If the rules are none.
            ApprovalsMissingError: If they are weaker than the newest and not approved.
            ConflictError: If there is a newer row.
        """
        rules.check()
        newest = self._versions.newest(RowName(POLICY, organization_id, row_id)).content
        is_weaker = bool(newest) and rules.is_weaker_than(ReleaseRules.decode(newest))
        return self._vouch(
            VouchedRow(POLICY, organization_id, row_id, from_version, rules.encode(), b""),
            is_weaker and not is_approved,
        )

    def vouch_mailbox_release(
        self,
        organization_id: str,
        mailbox_id: str,
        content: MailboxRelease,
        from_version: int,
        *,
        is_approved: bool = False,
    ) -> VouchedRow:
        """Vouch for what holds for a mailbox; as `vouch_release_rules`."""
        newest = self._versions.newest(RowName(MAILBOX, organization_id, mailbox_id)).content
        is_weaker = bool(newest) and content.is_weaker_than(MailboxRelease.decode(newest))
        return self._vouch(
            VouchedRow(MAILBOX, organization_id, mailbox_id, from_version, content.encode(), b""),
            is_weaker and not is_approved,
        )

    def vouch_sign_on(
        self, organization_id: str, sign_on: SignOn, from_version: int, *, is_approved: bool = False
    ) -> VouchedRow:
        """Vouch for the organization's sign-on; as `vouch_release_rules`."""
        sign_on.check()
        newest = self._versions.newest(RowName(SIGN_ON, organization_id, organization_id)).content
        is_weaker = bool(newest) and sign_on.is_weaker_than(SignOn.decode(newest))
        row = VouchedRow(SIGN_ON, organization_id, organization_id, from_version, sign_on.encode(), b"")
        return self._vouch(row, is_weaker and not is_approved)

    def _vouch(self, row: VouchedRow, needs_approval: bool) -> VouchedRow:
        if needs_approval:
            raise ApprovalsMissingError("a weaker release policy needs two security officers and a delay")
        version = self._versions.advance(RowName(row.kind, row.organization_id, row.row_id), row.version, row.content)
        return self._vouching.vouch_row(replace(row, version=version))

    def _follow(self, wanted: DeviceCredential) -> DeviceCredential:
        said = _said(wanted.state, wanted.level)
        version = self._versions.advance(_name(wanted), wanted.version, said, is_final=wanted.state == "removed")
        return self._vouching.vouch_device(replace(wanted, version=version))

    def _rules(self, row: VouchedRow, organization_id: str, row_id: str) -> ReleaseRules:
        rules = ReleaseRules.decode(self._content(row, POLICY, organization_id, row_id))
        if rules.level not in LEVELS:
            raise ApprovalsMissingError("the release policy asks for a level that this program does not know")
        return rules

    def _content(self, row: VouchedRow, kind: str, organization_id: str, row_id: str) -> bytes:
        self._vouching.check_row(row)
        if (row.kind, row.organization_id, row.row_id) != (kind, organization_id, row_id):
            raise PermissionDeniedError("the release policy is of something else")
        self._versions.check(RowName(kind, organization_id, row_id), row.version)
        return row.content


def read_rules(policy: ReleasePolicy) -> MailboxRules:
    """Return what a policy's rows say, unchecked: for callers that want to say early what the keystore will say.

    Raises:
        DecodingError: If a row cannot be read.
    """
    said = MailboxRelease() if policy.mailbox is None else MailboxRelease.decode(policy.mailbox.content)
    rows = (policy.organization,) if policy.group is None else (policy.organization, policy.group)
    rules = tuple(ReleaseRules.decode(row.content) for row in rows)
    if any(each.level not in LEVELS for each in rules):
        raise DecodingError("the release policy asks for a level that this program does not know")
    return MailboxRules(rules, said.frozen)


def _said(state: str, level: int) -> bytes:
    return sha256(f"{state} {level}".encode("ascii"))


def _name(credential: DeviceCredential) -> RowName:
    return RowName(_DEVICE, credential.organization_id, credential.device_id)
