"""An organization's release policy: vouched for by the keystore, every change a leaf."""

from dataclasses import replace

from sealwright.audit.log import Act, AuditLog
from sealwright.identity.store import PeopleStore
from sealwright.keystore.model import Keystore, ReleasePolicy
from sealwright.storage.engine import Storage, Transaction
from sealwright.tlog.leaf import ORGANIZATION_CHAIN

FIRST_LEVEL = 1


class PolicyService:
    """Reads and changes release policies.

    Args:
        storage: The database.
        store: Its SQL.
        keystore: Vouches for the policy.
        audit: The owner-visible log.
    """

    def __init__(self, storage: Storage, store: PeopleStore, keystore: Keystore, audit: AuditLog) -> None:
        self._storage, self._store, self._keystore, self._audit = storage, store, keystore, audit

    def create(self, tx: Transaction, organization_id: str) -> ReleasePolicy:
        """Give a new organization, whose log exists, the first policy: level 1, no export.

        Raises:
            ConflictError: If it has one.
        """
        policy = self._keystore.vouch_policy(organization_id, FIRST_LEVEL, export_key=False, version=1)
        self._store.add_policy(tx, policy)
        self._log(tx, policy)
        return policy

    def policy(self, organization_id: str) -> ReleasePolicy:
        """Return the policy in force.

        Raises:
            NotFoundError: If the organization has none.
        """
        with self._storage.read(organization_id) as tx:
            return self._store.policy(tx, organization_id)

    def set_export_key(self, organization_id: str, allowed: bool) -> ReleasePolicy:
        """Allow or forbid owners to export keys; what is so already is no change and no leaf.

        Raises:
            NotFoundError: If the organization has no policy.
            ConflictError: If it was changed meanwhile.
        """
        with self._storage.transaction(organization_id) as tx:
            old = self._store.policy(tx, organization_id)
            if old.export_key == allowed:
                return old
            wanted = replace(old, export_key=allowed, version=old.version + 1)
            policy = self._keystore.vouch_policy(
                organization_id, wanted.level, export_key=wanted.export_key, version=wanted.version
            )
            self._store.replace_policy(tx, policy)
            self._log(tx, policy)
            return policy

    def _log(self, tx: Transaction, policy: ReleasePolicy) -> None:
        fields = {
            "level": str(policy.level),
            "export_key": "yes" if policy.export_key else "no",
            "version": str(policy.version),
        }
        self._audit.append(tx, Act(policy.organization_id, ORGANIZATION_CHAIN, "policy.change", fields))
