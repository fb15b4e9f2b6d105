"""Release policies of an organization, its groups and mailboxes: vouched for by the keystore, every change a leaf."""

import re
from dataclasses import fields, replace

from sealwright.audit.log import Act, AuditLog
from sealwright.errors import InputError, NotFoundError
from sealwright.identity.policy_store import GroupStore, VouchedRowStore
from sealwright.keystore.access import MAILBOX, POLICY, read_rules
from sealwright.keystore.model import ApprovalEvidence, ReleasePolicy, VouchedRow
from sealwright.keystore.protocol import Keystore
from sealwright.keystore.release_rules import MailboxRelease, MailboxRules, ReleaseRules
from sealwright.keystore.sign_on import SIGN_ON, SignOn
from sealwright.keystore.weaker import describe
from sealwright.storage.engine import Storage, Transaction
from sealwright.storage.schema import new_id
from sealwright.tlog.leaf import ORGANIZATION_CHAIN
from sealwright.wire.operator import MailboxPolicy, PolicyChange, PolicyRules
from sealwright.wire.policy_step import PolicyStep

_CHANGEABLE = tuple(field.name for field in fields(ReleaseRules))
_GROUP_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class PolicyService:
    """Reads and changes release policies.

    Args:
        storage: The database.
        keystore: Vouches for them, and refuses weaker ones.
        audit: The owner-visible log.
    """

    def __init__(self, storage: Storage, keystore: Keystore, audit: AuditLog) -> None:
        self._storage, self._keystore, self._audit = storage, keystore, audit
        self._rows, self._groups = VouchedRowStore(), GroupStore()

    def create(self, tx: Transaction, organization_id: str) -> VouchedRow:
        """Give a new organization, whose log exists, the first policy: level 1, no export, no deny rules.

        Raises:
            ConflictError: If it has one.
        """
        return self._put_rules(tx, organization_id, organization_id, ReleaseRules(), "")

    def policy(self, organization_id: str, mailbox_id: str) -> ReleasePolicy:
        """Return what holds for a mailbox.

        Raises:
            NotFoundError: If the organization has no policy.
        """
        with self._storage.read(organization_id) as tx:
            return self.policy_in(tx, organization_id, mailbox_id)

    def policy_in(self, tx: Transaction, organization_id: str, mailbox_id: str) -> ReleasePolicy:
        """Return what holds for a mailbox, within a transaction; raises as `policy`."""
        organization = self._rows.row(tx, organization_id, POLICY, organization_id)
        if organization is None:
            raise NotFoundError("the organization has no release policy")
        mailbox, group = self._rows.row(tx, organization_id, MAILBOX, mailbox_id), None
        if mailbox is not None and (group_id := MailboxRelease.decode(mailbox.content).group_id):
            group = self._rows.row(tx, organization_id, POLICY, group_id)
        return ReleasePolicy(organization, mailbox, group)

    def mailbox_rules(self, organization_id: str, mailbox_id: str) -> MailboxRules:
        """Return the rules that hold for a mailbox together."""
        return read_rules(self.policy(organization_id, mailbox_id))

    def group_of(self, organization_id: str, mailbox_id: str) -> str:
        """Return the name of a mailbox's group, empty without one."""
        with self._storage.read(organization_id) as tx:
            _row, said = self._said(tx, organization_id, mailbox_id)
            return self._groups.names(tx, organization_id).get(said.group_id, "")

    def listed(self, organization_id: str) -> tuple[PolicyRules, ...]:
        """Return the organization's rules, then what each group adds, by name.

        Raises:
            NotFoundError: If the organization has no policy.
        """
        with self._storage.read(organization_id) as tx:
            rows = {row.row_id: row for row in self._rows.rows(tx, organization_id, POLICY)}
            names = {organization_id: "", **self._groups.names(tx, organization_id)}
        if organization_id not in rows:
            raise NotFoundError("the organization has no release policy")
        return tuple(_view(name, ReleaseRules.decode(rows[row_id].content)) for row_id, name in names.items())

    def change(self, organization_id: str, wanted: PolicyChange) -> VouchedRow:
        """Put rules in force; what is so already is no change and no leaf. A group that is not there yet is made.

        Raises:
            InputError: If the rules or the group's name are none.
            ApprovalsMissingError: If they let anything through that the old ones did not.
            ConflictError: If they were changed meanwhile.
        """
        group = wanted.group
        with self._storage.transaction(organization_id) as tx:
            if group and self._groups.find(tx, organization_id, group) is None:
                if not _GROUP_NAME.fullmatch(group):
                    raise InputError("a group's name is made of a-z, 0-9, dot, underscore and hyphen, at most 64")
                self._groups.add(tx, organization_id, new_id(), group)
            row_id = self._row_id(tx, organization_id, group)
            row = self._rows.row(tx, organization_id, POLICY, row_id)
            rules = ReleaseRules() if row is None else ReleaseRules.decode(row.content)
            return self._put_rules(tx, organization_id, row_id, _changed(rules, wanted), group)

    def step(self, organization_id: str, wanted: PolicyChange) -> PolicyStep:
        """Return a change of rules as it is approved; raises as `change`."""
        with self._storage.read(organization_id) as tx:
            row_id = self._row_id(tx, organization_id, wanted.group)
            row = self._rows.row(tx, organization_id, POLICY, row_id)
        if row is None:
            raise NotFoundError("the organization has no release policy")
        rules = _changed(ReleaseRules.decode(row.content), wanted)
        rules.check()
        return _step(replace(row, content=rules.encode()), wanted.group)

    def mailbox_step(self, organization_id: str, mailbox_id: str, wanted: MailboxPolicy) -> PolicyStep:
        """Return a change for one mailbox as it is approved; raises as `change_mailbox`."""
        with self._storage.read(organization_id) as tx:
            row, said = self._said(tx, organization_id, mailbox_id)
            if row is None:
                raise NotFoundError("nothing special holds for this mailbox")
            said = self._changed_mailbox(tx, organization_id, said, wanted)
        return _step(replace(row, content=said.encode()), wanted.address)

    def in_force(self, organization_id: str, step: PolicyStep) -> dict[str, str]:
        """Return what the row that a step follows says now, for people."""
        with self._storage.read(organization_id) as tx:
            row = self._rows.row(tx, organization_id, step.row_kind, step.row_id)
        return {} if row is None else describe(row)

    def put_approved(self, step: PolicyStep, evidence: ApprovalEvidence) -> None:
        """Put a weaker policy in force that two security officers approved; what is so already stays so.

        Raises:
            ApprovalsMissingError: If the delay is not over, or approvals have expired.
            PermissionDeniedError: If the keystore does not accept them.
            ConflictError: If the policy was changed since.
        """
        organization_id = evidence.proposal.organization_id
        with self._storage.transaction(organization_id) as tx:
            if step.row_kind == SIGN_ON:
                self._put_sign_on(tx, organization_id, SignOn.decode(step.content), evidence)
            elif step.row_kind == POLICY:
                rules = ReleaseRules.decode(step.content)
                self._put_rules(tx, organization_id, step.row_id, rules, step.name, evidence)
            else:
                said = MailboxRelease.decode(step.content)
                self._put_mailbox(tx, organization_id, step.row_id, said, evidence)

    def change_mailbox(self, organization_id: str, mailbox_id: str, wanted: MailboxPolicy) -> None:
        """Put a mailbox into a group or take it out, and stop all its releases or permit them again.

        Raises:
            NotFoundError: If there is no such group.
            ApprovalsMissingError: If the mailbox leaves a group, or is not to be frozen any more.
            ConflictError: If it was changed meanwhile.
        """
        with self._storage.transaction(organization_id) as tx:
            _row, said = self._said(tx, organization_id, mailbox_id)
            said = self._changed_mailbox(tx, organization_id, said, wanted)
            self._put_mailbox(tx, organization_id, mailbox_id, said)

    def freeze_in(self, tx: Transaction, organization_id: str, mailbox_id: str) -> None:
        """Stop all releases of a mailbox, within the act that ends a tenure."""
        _row, said = self._said(tx, organization_id, mailbox_id)
        self._put_mailbox(tx, organization_id, mailbox_id, replace(said, frozen=True))

    def sign_on(self, organization_id: str) -> SignOn | None:
        """Return the organization's sign-on, None without one."""
        with self._storage.read(organization_id) as tx:
            row = self._rows.row(tx, organization_id, SIGN_ON, organization_id)
        return None if row is None else SignOn.decode(row.content)

    def set_sign_on(self, organization_id: str, wanted: SignOn) -> None:
        """Set the organization's sign-on; what is so already is no change and no leaf.

        Raises:
            InputError: If it cannot be used.
            ApprovalsMissingError: If issuer, client or claim change, or keys of a pinned issuer.
            ConflictError: If it was changed meanwhile.
        """
        with self._storage.transaction(organization_id) as tx:
            self._put_sign_on(tx, organization_id, wanted)

    def sign_on_step(self, organization_id: str, wanted: SignOn) -> PolicyStep:
        """Return a change of the sign-on as it is approved.

        Raises:
            NotFoundError: If there is none that it changes.
        """
        wanted.check()
        with self._storage.read(organization_id) as tx:
            row = self._rows.row(tx, organization_id, SIGN_ON, organization_id)
        if row is None:
            raise NotFoundError("the organization has no sign-on")
        return _step(replace(row, content=wanted.encode()), "sign-on")

    def _put_sign_on(
        self, tx: Transaction, organization_id: str, wanted: SignOn, evidence: ApprovalEvidence | None = None
    ) -> None:
        old = self._rows.row(tx, organization_id, SIGN_ON, organization_id)
        if old is not None and old.content == wanted.encode():
            return
        from_version = 0 if old is None else old.version
        row = self._keystore.vouch_sign_on(organization_id, wanted, from_version, evidence)
        self._rows.put(tx, row, from_version)
        said = {**describe(row), "version": str(row.version)}
        self._audit.append(tx, Act(organization_id, ORGANIZATION_CHAIN, "policy.sign-on", said))

    def _said(self, tx: Transaction, organization_id: str, mailbox_id: str) -> tuple[VouchedRow | None, MailboxRelease]:
        row = self._rows.row(tx, organization_id, MAILBOX, mailbox_id)
        return row, MailboxRelease() if row is None else MailboxRelease.decode(row.content)

    def _changed_mailbox(
        self, tx: Transaction, organization_id: str, said: MailboxRelease, wanted: MailboxPolicy
    ) -> MailboxRelease:
        if wanted.group is not None:
            said = replace(said, group_id=self._row_id(tx, organization_id, wanted.group) if wanted.group else "")
        return said if wanted.frozen is None else replace(said, frozen=wanted.frozen)

    def _row_id(self, tx: Transaction, organization_id: str, group: str) -> str:
        if not group:
            return organization_id
        found = self._groups.find(tx, organization_id, group)
        if found is None:
            raise NotFoundError(f"there is no group {group}")
        return found

    def _put_rules(
        self,
        tx: Transaction,
        organization_id: str,
        row_id: str,
        rules: ReleaseRules,
        group: str,
        evidence: ApprovalEvidence | None = None,
    ) -> VouchedRow:
        old = self._rows.row(tx, organization_id, POLICY, row_id)
        if old is not None and old.content == rules.encode():
            return old
        from_version = 0 if old is None else old.version
        if rules.level == 4 and self._rows.row(tx, organization_id, SIGN_ON, organization_id) is None:
            raise InputError("level 4 needs the organization's sign-on: set it first, with `sealwright policy sign-on`")
        row = self._keystore.vouch_release_rules(organization_id, row_id, rules, from_version, evidence)
        self._rows.put(tx, row, from_version)
        said = {**describe(row), "group": group, "version": str(row.version)}
        self._audit.append(tx, Act(organization_id, ORGANIZATION_CHAIN, "policy.change", said))
        return row

    def _put_mailbox(
        self,
        tx: Transaction,
        organization_id: str,
        mailbox_id: str,
        wanted: MailboxRelease,
        evidence: ApprovalEvidence | None = None,
    ) -> None:
        old, said = self._said(tx, organization_id, mailbox_id)
        if wanted == said:
            return
        from_version = 0 if old is None else old.version
        row = self._keystore.vouch_mailbox_release(organization_id, mailbox_id, wanted, from_version, evidence)
        self._rows.put(tx, row, from_version)
        told = {
            "group": self._groups.names(tx, organization_id).get(wanted.group_id, ""),
            "frozen": "yes" if wanted.frozen else "no",
            "version": str(row.version),
        }
        self._audit.append(tx, Act(organization_id, mailbox_id, "policy.mailbox", told))


def _changed(rules: ReleaseRules, wanted: PolicyChange) -> ReleaseRules:
    changes = {name: getattr(wanted, name) for name in _CHANGEABLE if getattr(wanted, name) is not None}
    return replace(rules, **changes)


def _step(row: VouchedRow, name: str) -> PolicyStep:
    return PolicyStep(
        row_kind=row.kind,
        row_id=row.row_id,
        name=name,
        from_version=row.version,
        content=row.content,
        says=describe(row),
    )


def _view(group: str, rules: ReleaseRules) -> PolicyRules:
    return PolicyRules(group=group, **{name: getattr(rules, name) for name in _CHANGEABLE})
