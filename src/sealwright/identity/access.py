"""Levels 2 to 4 of release: passes on what devices show, and keeps and tells what the keystore made of it."""

from datetime import datetime, timedelta

from sealwright.audit.log import Act, AuditLog
from sealwright.clock import Clock
from sealwright.errors import ConflictError, NotFoundError
from sealwright.identity.access_store import AccessStore
from sealwright.identity.device_store import DeviceStore
from sealwright.identity.devices import DeviceService
from sealwright.identity.model import AuthenticatedDevice, Device
from sealwright.identity.policy import PolicyService
from sealwright.identity.policy_store import VouchedRowStore
from sealwright.keystore.access import read_rules
from sealwright.keystore.approvals import ROLE
from sealwright.keystore.factors import APPROVAL_LEVEL, SECRET
from sealwright.keystore.model import FactorEvidence, Qualified, VouchedRow
from sealwright.keystore.protocol import Keystore
from sealwright.keystore.sign_on import SIGN_ON, SignOn
from sealwright.storage.engine import Storage, Transaction
from sealwright.wire.factors import (
    APPROVAL_MINUTES,
    AccessAnswer,
    ApprovalRequest,
    SignOnView,
    WaitingDevice,
    WaitingDevices,
)
from sealwright.wire.roles import ADMINISTRATOR, SECURITY_OFFICER, decode_roles

_APPROVERS = frozenset((ADMINISTRATOR, SECURITY_OFFICER))


class AccessService:
    """Takes factors of devices that proved their mailbox.

    Args:
        storage: The database.
        store: SQL of devices.
        keystore: Checks factors.
        audit: The owner-visible log.
        clock: The time.
        devices: Tells the other devices.
        policies: What a release needs.
    """

    def __init__(
        self,
        storage: Storage,
        store: DeviceStore,
        keystore: Keystore,
        audit: AuditLog,
        clock: Clock,
        *,
        devices: DeviceService,
        policies: PolicyService,
    ) -> None:
        self._storage, self._store, self._keystore, self._audit, self._clock = storage, store, keystore, audit, clock
        self._devices, self._policies = devices, policies
        self._access, self._rows = AccessStore(), VouchedRowStore()

    def standing(self, asking: AuthenticatedDevice) -> AccessAnswer:
        """Return what a device has proved and what it needs."""
        organization_id, mailbox_id = asking.organization_id, asking.mailbox_id
        with self._storage.read(organization_id) as tx:
            device = self._store.device(tx, organization_id, asking.device_id)
            policy = self._policies.policy_in(tx, organization_id, mailbox_id)
            has_password = self._access.password(tx, organization_id, mailbox_id) is not None
            row = self._rows.row(tx, organization_id, SIGN_ON, organization_id)
        key = self._keystore.import_public_key(organization_id)
        return AccessAnswer(
            level=device.credential.level,
            needed=read_rules(policy).level,
            has_password=has_password,
            organization_id=organization_id,
            public_key=key.public_key,
            signature=key.signature,
            sign_on=None if row is None else _sign_on_view(SignOn.decode(row.content)),
        )

    def show(self, asking: AuthenticatedDevice, kind: str, sealed: bytes) -> AccessAnswer:
        """Take a factor: "password", "new-password", "secret" or "sign-on".

        Raises:
            AuthenticationError: If it is not right.
            RateLimitedError: If passwords were guessed too often for this mailbox.
            PermissionDeniedError: If it is not for this device.
            ConflictError: If the device was changed meanwhile.
        """
        organization_id, mailbox_id = asking.organization_id, asking.mailbox_id
        # 1 What there is to compare with.
        with self._storage.read(organization_id) as tx:
            device = self._store.device(tx, organization_id, asking.device_id)
            password = self._access.password(tx, organization_id, mailbox_id)
            secret = self._rows.row(tx, organization_id, SECRET, mailbox_id)
            sign_on = self._rows.row(tx, organization_id, SIGN_ON, organization_id)
        # 2 The keystore judges; slow, outside any transaction.
        evidence = FactorEvidence(kind=kind, sealed=sealed, password=password, secret=secret, sign_on=sign_on)
        qualified = self._keystore.qualify_device(device.credential, evidence)
        # 3 What it made of it, with its leaf.
        with self._storage.transaction(organization_id) as tx:
            self._keep(tx, device, qualified, kind)
        return self.standing(asking)

    def ask_approval(self, asking: AuthenticatedDevice) -> AccessAnswer:
        """Ask the mailbox's other devices to approve the asking one; valid for 15 minutes.

        Raises:
            ConflictError: If no other device could approve it: an enrolment secret lets it in then.
        """
        organization_id, mailbox_id = asking.organization_id, asking.mailbox_id
        with self._storage.transaction(organization_id) as tx:
            device = self._store.device(tx, organization_id, asking.device_id)
            own = self._store.devices(tx, organization_id, mailbox_id)
            if not any(_may_approve(each) for each in own) and not self._administrators(tx, organization_id):
                raise ConflictError(
                    "the mailbox has no other device that could approve this one; ask your administrator for an "
                    "enrolment secret"
                )
            expires = self._clock.now() + timedelta(minutes=APPROVAL_MINUTES)
            is_new = asking.device_id not in self._access.waiting(tx, organization_id, mailbox_id, self._clock.now())
            self._access.wait(tx, organization_id, mailbox_id, asking.device_id, expires)
            if is_new:
                thumbprint = device.credential.device.thumbprint()
                fields = {"device": thumbprint.hex(), "device_id": asking.device_id}
                leaf = self._audit.append(tx, Act(organization_id, mailbox_id, "device.ask-approval", fields))
                notice = self._devices.notice("device-waiting", device.name, leaf, thumbprint)
                self._devices.notify(tx, organization_id, mailbox_id, notice, except_device=asking.device_id)
        return self.standing(asking)

    def waiting(self, asking: AuthenticatedDevice) -> WaitingDevices:
        """Return the devices that wait for an approval by the asking one: of its mailbox, or all for an administrator."""
        organization_id = asking.organization_id
        with self._storage.read(organization_id) as tx:
            everybody = self._role(tx, asking) is not None
            found = self._waiting(tx, organization_id, None if everybody else asking.mailbox_id)
        return WaitingDevices(devices=tuple(each for each in found if each.device_id != asking.device_id))

    def waiting_of(self, organization_id: str, mailbox_id: str | None = None) -> tuple[WaitingDevice, ...]:
        """Return the devices of a mailbox, or of all, that wait for an approval; for administrators."""
        with self._storage.read(organization_id) as tx:
            return self._waiting(tx, organization_id, mailbox_id)

    def approve(self, asking: AuthenticatedDevice, device_id: str, request: ApprovalRequest) -> None:
        """Take the asking device's signature under the approval of another one.

        Raises:
            NotFoundError: If no such device of the mailbox waits.
            PermissionDeniedError: If the keystore does not accept the approval.
            ConflictError: If the device was changed meanwhile.
        """
        organization_id, mailbox_id = asking.organization_id, asking.mailbox_id
        with self._storage.read(organization_id) as tx:
            role = self._role(tx, asking)
            of_whom = None if role is not None else mailbox_id
            if device_id not in self._access.waiting(tx, organization_id, of_whom, self._clock.now()):
                raise NotFoundError("no such device waits for an approval; it may have to ask again")
            device = self._store.device(tx, organization_id, device_id)
            approver = self._store.device(tx, organization_id, asking.device_id)
        evidence = FactorEvidence(
            kind="approval",
            approver=approver.credential,
            role=role,
            signed_at=request.signed_at,
            signature=request.signature,
        )
        qualified = self._keystore.qualify_device(device.credential, evidence)
        with self._storage.transaction(organization_id) as tx:
            self._keep(tx, device, qualified, "approval", by=approver.credential.device.thumbprint().hex())

    def make_secret(self, organization_id: str, mailbox_id: str, days: int, by: str) -> tuple[str, datetime]:
        """Make an enrolment secret in place of an earlier one; return it and its end.

        Raises:
            InputError: If it would be valid for more than 30 days.
            ConflictError: If another one was made meanwhile.
        """
        expires = (self._clock.now() + timedelta(days=days)).replace(microsecond=0)
        with self._storage.read(organization_id) as tx:
            old = self._rows.row(tx, organization_id, SECRET, mailbox_id)
        made = self._keystore.make_enrolment_secret(organization_id, mailbox_id, expires)
        with self._storage.transaction(organization_id) as tx:
            self._put(tx, made.row, old)
            fields = {"expires": expires.isoformat(), "by": by}
            self._audit.append(tx, Act(organization_id, mailbox_id, "enrolment-secret.create", fields))
        return made.secret, expires

    def _waiting(self, tx: Transaction, organization_id: str, mailbox_id: str | None) -> tuple[WaitingDevice, ...]:
        until = self._access.waiting(tx, organization_id, mailbox_id, self._clock.now())
        found = [self._store.device(tx, organization_id, device_id) for device_id in until]
        return tuple(
            WaitingDevice(
                device_id=device.credential.device_id,
                name=device.name,
                thumbprint=device.credential.device.thumbprint(),
                expires=until[device.credential.device_id],
                mailbox_id=device.credential.mailbox_id,
            )
            for device in found
            if device.credential.state == "active"
        )

    def _role(self, tx: Transaction, asking: AuthenticatedDevice) -> VouchedRow | None:
        row = self._rows.row(tx, asking.organization_id, ROLE, asking.mailbox_id)
        return row if row is not None and _APPROVERS & set(decode_roles(row.content)) else None

    def _administrators(self, tx: Transaction, organization_id: str) -> list[VouchedRow]:
        rows = self._rows.rows(tx, organization_id, ROLE)
        return [row for row in rows if _APPROVERS & set(decode_roles(row.content))]

    def _put(self, tx: Transaction, row: VouchedRow, old: VouchedRow | None) -> None:
        self._rows.put(tx, row, 0 if old is None else old.version)

    def _keep(self, tx: Transaction, device: Device, qualified: Qualified, kind: str, by: str = "") -> None:
        old, new = device.credential, qualified.credential
        organization_id, mailbox_id = old.organization_id, old.mailbox_id
        thumbprint = old.device.thumbprint()
        if qualified.password is not None:
            self._access.put_password(tx, qualified.password)
            leaf = self._audit.append(
                tx, Act(organization_id, mailbox_id, "password.set", {"device": thumbprint.hex()})
            )
            notice = self._devices.notice("password-changed", device.name, leaf, thumbprint)
            self._devices.notify(tx, organization_id, mailbox_id, notice, except_device=old.device_id)
        if new.version == old.version:
            return
        self._store.replace_credential(tx, old, new)
        self._access.stop_waiting(tx, organization_id, old.device_id)
        fields = {"device": thumbprint.hex(), "device_id": old.device_id, "level": str(new.level), "factor": kind}
        leaf = self._audit.append(tx, Act(organization_id, mailbox_id, "device.qualify", {**fields, "by": by}))
        if kind in ("approval", "secret"):
            notice = self._devices.notice("device-approved", device.name, leaf, thumbprint)
            self._devices.notify(tx, organization_id, mailbox_id, notice, except_device=old.device_id)


def _sign_on_view(sign_on: SignOn) -> SignOnView:
    return SignOnView(issuer=sign_on.issuer, client_id=sign_on.client_id, device_flow=sign_on.device_flow)


def _may_approve(device: Device) -> bool:
    return device.credential.state == "active" and device.credential.level >= APPROVAL_LEVEL
