"""The mailbox proof (docs/flows/set-up-a-device.md): part 1 by mail, part 2 over HTTPS, an HMAC back, and a device is enrolled.

Whoever asks for an address that nobody has gets the same answer; only no mail follows.
"""

from datetime import datetime, timedelta

from sealwright.audit.log import Act, AuditLog
from sealwright.clock import Clock
from sealwright.errors import AuthenticationError, ConflictError, InputError, NotFoundError, RateLimitedError
from sealwright.identity.device_store import DeviceStore
from sealwright.identity.devices import DeviceService
from sealwright.identity.model import (
    ENROLMENT_LIFE,
    MAX_ENROLMENTS_PER_ADDRESS,
    MAX_ENROLMENTS_PER_SOURCE,
    RATE_WINDOW,
    Challenge,
    Device,
    Enrolment,
)
from sealwright.identity.network import network_of
from sealwright.identity.policy import PolicyService
from sealwright.identity.ports import PutOutbox
from sealwright.identity.requests import RequestVerifier, required_idempotency_key
from sealwright.identity.shared_store import SharedStore
from sealwright.identity.store import PeopleStore
from sealwright.identity.tokens import TokenService
from sealwright.keystore.access import read_rules
from sealwright.keystore.model import (
    UNKNOWN_MAILBOX,
    DeviceCredential,
    ProofBinding,
    RecordIdentity,
    SealedRecord,
    SignedRequestEvidence,
)
from sealwright.keystore.protocol import Keystore
from sealwright.pkix.names import canonical_address
from sealwright.storage.engine import Storage, Transaction
from sealwright.storage.schema import new_id
from sealwright.wire.api import EnrolledAnswer, EnrolmentAnswer, EnrolmentRequest, ProofRequest
from sealwright.wire.encoding import b64u_decode, b64u_encode

CHALLENGE_TOPIC = "challenge.mail"
CHALLENGE_PURPOSE = "challenge"
MAX_NAME_CHARACTERS = 100
MAX_PLATFORM_CHARACTERS = 40
_REFUSED = "the mailbox proof is not right or came too late: start the set-up again"


class EnrolmentService:
    """Begins and finishes mailbox proofs.

    Args:
        storage: The database.
        store: SQL of devices.
        people: SQL of mailboxes.
        keystore: Makes and checks challenges.
        audit: The owner-visible log.
        clock: The time.
        requests: Checks signed requests.
        tokens: Issues the first token.
        devices: Tells the other devices.
        policies: What a release needs.
        put_outbox: Queues the challenge mail.
    """

    def __init__(
        self,
        storage: Storage,
        store: DeviceStore,
        people: PeopleStore,
        keystore: Keystore,
        audit: AuditLog,
        clock: Clock,
        *,
        requests: RequestVerifier,
        tokens: TokenService,
        devices: DeviceService,
        policies: PolicyService,
        put_outbox: PutOutbox,
    ) -> None:
        self._storage, self._store, self._people, self._keystore = storage, store, people, keystore
        self._audit, self._clock, self._requests = audit, clock, requests
        self._tokens, self._devices, self._policies, self._put_outbox = tokens, devices, policies, put_outbox
        self._shared = SharedStore()

    def begin(self, request: EnrolmentRequest, signed: SignedRequestEvidence, source_ip: str) -> EnrolmentAnswer:
        """Make a challenge and queue its mail; the same answer whether or not the address is known.

        Raises:
            InputError: If address, keys or names cannot be used.
            AuthenticationError: If the request is not signed with the new authentication key.
            NotFoundError: If the address is in a domain that this server does not serve.
            RateLimitedError: If too many were begun for the address or from the network.
        """
        # 1 The request is well formed and signed by the key that it enrols.
        address = canonical_address(request.address)
        _check_names(request)
        request.device.check()
        required_idempotency_key(self._requests.verify(signed, request.device.authentication_key_spki, "POST"))
        now, source = self._clock.now().replace(microsecond=0), network_of(source_ip)
        with self._storage.read(None) as tx:
            organization = self._people.organization_of_domain(tx, address.rpartition("@")[2])
            mailbox = self._people.mailbox_of_address(tx, organization.organization_id, address)
            if mailbox is not None and self._shared.is_shared(tx, organization.organization_id, mailbox.mailbox_id):
                mailbox = None  # its keys go to its members' devices; nobody sets a device up for it
            self._check_rates(tx, organization.organization_id, address, source, now)
        # 2 The challenge; for an unknown address one that nothing can answer.
        binding = ProofBinding(
            organization_id=organization.organization_id,
            domain=organization.domain,
            mailbox_id=UNKNOWN_MAILBOX if mailbox is None else mailbox.mailbox_id,
            address=address,
            enrolment_id=new_id(),
            device=request.device,
            expires=now + ENROLMENT_LIFE,
        )
        begun = self._keystore.begin_proof(binding)
        sealed_part1 = self._keystore.seal_secret(
            binding.organization_id, CHALLENGE_PURPOSE, binding.enrolment_id, begun.part1
        )
        # 3 One transaction: the count once more, the row, the mail.
        with self._storage.transaction(organization.organization_id) as tx:
            self._check_rates(tx, organization.organization_id, address, source, now)
            self._store.add_enrolment(tx, _open_enrolment(request, binding, begun.sealed_proof, source, now))
            if mailbox is not None:
                payload = _challenge_payload(binding, sealed_part1)
                self._put_outbox(tx, binding.organization_id, CHALLENGE_TOPIC, payload, binding.enrolment_id)
        return EnrolmentAnswer(
            enrolment_id=binding.enrolment_id,
            part2=begun.part2,
            server_nonce=begun.server_nonce,
            expires=binding.expires,
        )

    def challenge(self, organization_id: str, payload: dict[str, str]) -> Challenge | None:
        """Open the outbox payload of a challenge mail; None if the challenge needs no mail any more."""
        with self._storage.read(organization_id) as tx:
            enrolment = self._store.enrolment(tx, payload["enrolment_id"])
        if enrolment is None or enrolment.state != "OPEN" or enrolment.expires <= self._clock.now():
            return None
        identity = RecordIdentity("secret", organization_id, enrolment.enrolment_id, CHALLENGE_PURPOSE)
        sealed = SealedRecord(
            identity, "secret", int(payload["part1_storage_version"]), b64u_decode(payload["part1_sealed"])
        )
        return Challenge(
            enrolment_id=enrolment.enrolment_id,
            address=enrolment.address,
            domain=payload["domain"],
            device_thumbprint=enrolment.device.thumbprint().hex(),
            expires=enrolment.expires,
            part1=self._keystore.open_secret(sealed),
        )

    def prove(self, enrolment_id: str, request: ProofRequest, signed: SignedRequestEvidence) -> EnrolledAnswer:
        """Check the answer of a challenge and enrol the device; a retry with the same idempotency key is answered again.

        Raises:
            AuthenticationError: If signature or answer is wrong, too late, used, or tried too often.
            ConflictError: If the device's key is enrolled already or the mailbox was withdrawn meanwhile.
        """
        # 1 Who asks is who began.
        with self._storage.read(None) as tx:
            enrolment = self._store.enrolment(tx, enrolment_id)
        if enrolment is None:
            raise AuthenticationError(_REFUSED)
        signature = self._requests.verify(signed, enrolment.device.authentication_key_spki, "POST")
        key, now = required_idempotency_key(signature), self._clock.now()
        if enrolment.state == "USED" and enrolment.idempotency_key == key and enrolment.device_id is not None:
            return self._answer_again(enrolment, enrolment.device_id)
        # 2 The attempt counts, durably, before the answer is looked at.
        if enrolment.expires <= now:
            raise AuthenticationError(_REFUSED)
        try:
            with self._storage.transaction(enrolment.organization_id) as tx:
                self._store.count_attempt(tx, enrolment)
        except ConflictError as error:
            raise AuthenticationError(_REFUSED) from error
        # 3 The keystore checks the answer and vouches for the device.
        credential = self._keystore.finish_proof(enrolment.proof, request.answer, new_id(), now)
        if credential.mailbox_id != enrolment.mailbox_id or credential.device != enrolment.device:
            raise AuthenticationError(_REFUSED)
        # 4 One transaction: single use, device, leaf, notices, token.
        with self._storage.transaction(enrolment.organization_id) as tx:
            self._store.use_enrolment(tx, enrolment, credential.device_id, key)
            self._people.hold_active_mailbox(tx, credential.organization_id, credential.mailbox_id)
            self._add_device(tx, enrolment, credential, now)
            return self._enrolled(tx, credential)

    def purge(self, organization_id: str) -> int:
        """Delete enrolments that no count and no retry needs any more (job); return how many."""
        with self._storage.transaction(organization_id) as tx:
            return self._store.purge_enrolments(tx, organization_id, self._clock.now() - timedelta(days=7))

    def _check_rates(self, tx: Transaction, organization_id: str, address: str, source: str, now: datetime) -> None:
        since = now - RATE_WINDOW
        of_address, of_source = self._store.enrolments_since(tx, organization_id, address, source, since)
        if of_address >= MAX_ENROLMENTS_PER_ADDRESS or of_source >= MAX_ENROLMENTS_PER_SOURCE:
            raise RateLimitedError("too many devices were set up in the last hour: try again later", 3600)

    def _add_device(self, tx: Transaction, enrolment: Enrolment, credential: DeviceCredential, now: datetime) -> None:
        in_force = self._policies.policy_in(tx, credential.organization_id, credential.mailbox_id)
        added = Device(credential, enrolment.device_name, enrolment.platform, now)
        self._store.add_device(tx, added, read_rules(in_force).max_devices)
        thumbprint = credential.device.thumbprint()
        fields = {"device": thumbprint.hex(), "device_id": credential.device_id, "enrolment": enrolment.enrolment_id}
        act = Act(credential.organization_id, credential.mailbox_id, "device.add", fields)
        leaf = self._audit.append(tx, act)
        self._devices.notify(
            tx,
            credential.organization_id,
            credential.mailbox_id,
            self._devices.notice("device-added", enrolment.device_name, leaf, thumbprint),
            except_device=credential.device_id,
        )

    def _answer_again(self, enrolment: Enrolment, device_id: str) -> EnrolledAnswer:
        try:
            with self._storage.transaction(enrolment.organization_id) as tx:
                credential = self._store.device(tx, enrolment.organization_id, device_id).credential
                if credential.state != "active":  # locked or removed meanwhile
                    raise AuthenticationError(_REFUSED)
                return self._enrolled(tx, credential)
        except NotFoundError as error:
            raise AuthenticationError(_REFUSED) from error

    def _enrolled(self, tx: Transaction, credential: DeviceCredential) -> EnrolledAnswer:
        in_force = self._policies.policy_in(tx, credential.organization_id, credential.mailbox_id)
        mailbox = self._people.mailbox(tx, credential.organization_id, credential.mailbox_id)
        return EnrolledAnswer(
            organization_id=credential.organization_id,
            mailbox_id=credential.mailbox_id,
            device_id=credential.device_id,
            address=mailbox.address,
            display_name=mailbox.display_name,
            release_level=read_rules(in_force).level,
            token=self._tokens.issue(tx, credential),
        )


def _check_names(request: EnrolmentRequest) -> None:
    limits = ((request.device_name, MAX_NAME_CHARACTERS), (request.platform, MAX_PLATFORM_CHARACTERS))
    if any(not text.isprintable() or not 0 < len(text) <= limit for text, limit in limits):
        raise InputError("the device's name or platform is empty, too long or not printable")


def _open_enrolment(
    request: EnrolmentRequest, binding: ProofBinding, proof: SealedRecord, source: str, now: datetime
) -> Enrolment:
    return Enrolment(
        organization_id=binding.organization_id,
        enrolment_id=binding.enrolment_id,
        mailbox_id=binding.mailbox_id,
        address=binding.address,
        source=source,
        device=request.device,
        device_name=request.device_name,
        platform=request.platform,
        state="OPEN",
        attempts=0,
        created=now,
        expires=binding.expires,
        proof=proof,
    )


def _challenge_payload(binding: ProofBinding, sealed_part1: SealedRecord) -> dict[str, str]:
    return {
        "enrolment_id": binding.enrolment_id,
        "domain": binding.domain,
        "part1_sealed": b64u_encode(sealed_part1.ciphertext),
        "part1_storage_version": str(sealed_part1.storage_key_version),
    }
