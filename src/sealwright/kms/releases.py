"""Acts that give something out, in the books: row and leaf in one transaction, once for each request; and the answer."""

from collections.abc import Callable, Sequence

from sealwright.audit.log import Act, AuditLog, IncludedLeaf
from sealwright.clock import Clock
from sealwright.errors import ConflictError
from sealwright.identity.model import AuthenticatedDevice
from sealwright.keystore.model import SealedRelease
from sealwright.kms.model import KeyCertificateRow, KeyRelease
from sealwright.kms.store import KeyStore
from sealwright.storage.engine import Storage, Transaction
from sealwright.wire.api import ReleaseAnswer
from sealwright.wire.encoding import sha256
from sealwright.wire.manifest import ReleaseManifest


class Releases:
    """Writes the acts down.

    Args:
        storage: The database.
        store: Its SQL.
        audit: The owner-visible log.
        clock: The time.
    """

    def __init__(self, storage: Storage, store: KeyStore, audit: AuditLog, clock: Clock) -> None:
        self._storage, self._store, self._audit, self._clock = storage, store, audit, clock

    def record(
        self,
        device: AuthenticatedDevice,
        mailbox_id: str,
        kind: str,
        body: bytes,
        idempotency_key: str,
        choose: Callable[[Transaction], tuple[tuple[str, ...], dict[str, str]]],
    ) -> KeyRelease:
        """Find the act of an earlier try, or do it.

        Args:
            device: That asks.
            mailbox_id: Whose keys, and in whose chain the leaf is.
            kind: "release", "export", "use" or "exit"; the leaf's is "key." and that.
            body: Of the request.
            idempotency_key: As the device signed it.
            choose: Returns the ids of the keys, and what the leaf says; only called if there was no earlier try.

        Raises:
            ConflictError: If the idempotency key was used for another request.
        """
        organization_id, wanted = device.organization_id, sha256(body).hex()
        salt = self._audit.seal_salt(organization_id)  # before the transaction: nobody waits for the keystore in it
        try:
            with self._storage.transaction(organization_id) as tx:
                found = self._store.release(tx, organization_id, device.device_id, idempotency_key)
                if found is None:
                    key_ids, fields = choose(tx)
                    leaf = self._audit.append(tx, Act(organization_id, mailbox_id, f"key.{kind}", fields), salt)
                    found = KeyRelease(
                        organization_id=organization_id,
                        device_id=device.device_id,
                        idempotency_key=idempotency_key,
                        kind=kind,
                        request_sha256=wanted,
                        key_ids=key_ids,
                        leaf_id=leaf.leaf_id,
                        created=self._clock.now(),
                        salt=leaf.salt,
                    )
                    self._store.add_release(tx, found)
        except ConflictError:
            with self._storage.read(organization_id) as tx:
                raced = self._store.release(tx, organization_id, device.device_id, idempotency_key)
            if raced is None:
                raise
            found = raced
        if (found.kind, found.request_sha256) != (kind, wanted):
            raise ConflictError("the idempotency key was used for another request")
        return found


def release_answer(
    release: KeyRelease,
    manifest: ReleaseManifest,
    sealed: SealedRelease,
    certificates: Sequence[KeyCertificateRow],
    included: IncludedLeaf,
) -> ReleaseAnswer:
    """Return what a device gets: sealed keys, and the certificates of those that the leaf names."""
    return ReleaseAnswer(
        manifest=manifest,
        signature=sealed.signature,
        sealed_keys=sealed.sealed_keys,
        certificates=tuple(row.as_answer() for row in certificates if row.key_id in release.key_ids),
        leaf=included.opening(),
        checkpoint=included.checkpoint,
    )
