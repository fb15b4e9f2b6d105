"""An organization whose recovery officers approve, over the real keystore in this process."""

import msgspec
from cryptography import x509
from support.approving import Approvals, asked
from support.people_world import ORGANIZATION, World
from support.seals import key_file_seal, software_keystore

from sealwright.cms.content_ciphers import new_cipher
from sealwright.cms.enveloped import encrypt
from sealwright.cms.recipient_encoding import encode_recipient_info
from sealwright.cms.recipients import wrapped_keys
from sealwright.cms.schema import EnvelopedData, load_content
from sealwright.identity.model import AuthenticatedDevice
from sealwright.kms.recovery import RecoveryService
from sealwright.kms.recovery_rules import RecoveryRules
from sealwright.wire.content_keys import ContentKeyItem
from sealwright.wire.encoding import sha256
from sealwright.wire.recovery import (
    RECOVERY,
    RecoveryFetch,
    RecoveryItem,
    RecoveryMessage,
    RecoveryRequest,
    RecoveryRule,
)

OFFICER = "recovery-officer"
CIPHER = new_cipher("aes-256-cbc")


def keystore_in(folder, clock):
    """Return a real keystore with a seal of its own."""
    key_file_seal(folder / "seal.key", folder / "seal.json", shares=1, threshold=1)
    return software_keystore(folder / "seal.key", folder / "seal.json", clock)


class Recovering:
    """The services over a world; alice is the owner, rita asks, otto, olga and oskar are recovery officers.

    Args:
        folder: For its files.
        rule: To begin with.
    """

    def __init__(self, folder, rule=RecoveryRule()):  # noqa: B008 - frozen
        self.world = World(folder, make_keystore=keystore_in)
        self.approvals = Approvals(self.world)
        self.rules = RecoveryRules(
            self.world.storage, self.world.keystore, self.world.audit, approvals=self.approvals.service
        )
        self.service = RecoveryService(
            self.world.storage,
            self.world.keystore,
            self.world.audit,
            self.world.clock,
            rules=self.rules,
            approvals=self.approvals.service,
            mailboxes=self.world.mailboxes,
            devices=self.world.devices,
        )
        assert self.world.alice is not None
        self.alice = self.world.alice.mailbox_id
        self.rita = self.approvals.person("rita", "administrator")
        self.officers = [self.approvals.person(name, OFFICER) for name in ("otto", "olga", "oskar")]
        self.world.keys.provision(ORGANIZATION, self.alice)
        self.set_rule(rule)
        self.seen: list[tuple[object, object]] = []
        recover = self.world.keystore.recover

        def noted(records, evidence):
            self.seen.append((records, evidence))
            return recover(records, evidence)

        self.world.keystore.recover = noted

    def set_rule(self, rule):
        """Set the rule as the operator, which works while there are no security officers."""
        assert self.rules.change(ORGANIZATION, rule, "", "at the beginning") is None

    def message(self, text=b"secret"):
        """Return a CMS message for alice and what asks for its content key."""
        row = self.history_certificates()[0]
        encoded = encrypt(text, [x509.load_der_x509_certificate(row.certificate)])
        content = load_content(encoded)
        assert isinstance(content, EnvelopedData)
        (wrapped,) = wrapped_keys(content.recipient_infos.as_list())
        info = encode_recipient_info(wrapped)
        return encoded, ContentKeyItem(key_id=row.key_id, recipient_info=info, key_bytes=CIPHER.key_bytes)

    def history_certificates(self):
        """Return the certificates of alice's keys."""
        with self.world.storage.read(ORGANIZATION) as tx:
            return self.service._certificates(tx, ORGANIZATION, self.alice)

    def request(self, *messages, **changes):
        """Return what rita asks for; without messages the history."""
        _, row = self.rules.rule(ORGANIZATION)
        named = tuple(
            RecoveryMessage(
                message_sha256=sha256(encoded),
                items=(
                    RecoveryItem(
                        recipient_info_sha256=sha256(item.recipient_info), key_id=item.key_id, key_bytes=item.key_bytes
                    ),
                ),
            )
            for encoded, item in messages
        )
        fields = {
            "mailbox_id": self.alice,
            "address": "alice@example.test",
            "what": "messages" if named else "history",
            "device_id": self.rita.enrolled.device_id,
            "device_thumbprint": self.rita.device.public.thumbprint(),
            "rule_version": row.version,
            "messages": named,
            **changes,
        }
        return RecoveryRequest(**fields)

    def propose(self, wanted, requester=None):
        """Ask for it."""
        by = (requester or self.rita).mailbox_id
        content = msgspec.json.encode(wanted)
        return self.approvals.service.propose(ORGANIZATION, by, asked(RECOVERY, content, "the owner is away", "case 7"))

    def approve(self, proposal, officers=None):
        """Let two officers approve, and carry on as the outbox does."""
        for officer in officers or self.officers[:2]:
            self.approvals.decide(officer, proposal)
        self.approvals.run_outbox()

    def approved(self, *messages):
        """Return an approved and announced recovery."""
        proposal = self.propose(self.request(*messages))
        self.approve(proposal)
        return proposal

    def fetch(self, proposal, items=(), person=None):
        """Fetch it as rita's device does."""
        person = person or self.rita
        fetched = RecoveryFetch(items=tuple(items))
        path, body = f"/v1/recoveries/{proposal.proposal_id}/fetch", msgspec.json.encode(fetched)
        credential = self.world.devices.credential(ORGANIZATION, person.enrolled.device_id)
        asking = AuthenticatedDevice(ORGANIZATION, person.mailbox_id, credential.device_id, credential, person.address)
        signed = self.world.signed(person.device, "POST", path, body)
        return self.service.fetch(asking, proposal.proposal_id, fetched, signed)

    def close(self):
        """Close the database."""
        self.world.storage.close()
