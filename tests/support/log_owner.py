"""An owner's device before a real log: what it asks is answered as the server does, or as a liar would."""

import shutil
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

from support.memory_keystore import MemoryKeystore

from sealwright.audit.log import Act, AuditLog
from sealwright.client.state import ClientState
from sealwright.client.store import ClientStore
from sealwright.clock import SystemClock
from sealwright.storage.engine import open_storage
from sealwright.storage.schema import metadata, new_id
from sealwright.tlog.checkpoint import Checkpoint
from sealwright.tlog.note import split_note
from sealwright.tlog.tree import EMPTY_ROOT
from sealwright.wire.api import BreaksAnswer, ChainAnswer, ConsistencyAnswer
from sealwright.wire.statement import Invitation

ORIGIN = "example.test/log"
MAILBOX = "b" * 32
INVITATION = Invitation(
    version=1,
    domain="example.test",
    organization_name="Example GmbH",
    endpoints=(),
    tls_anchors=(),
    statement_root_sha256="",
)


class LogServer:
    """A log in a database of its own; `lie` changes an answer to /v1/log/chain before it goes out."""

    def __init__(self, folder, keystore=None, organization_id=None, log_key=None):
        folder.mkdir(exist_ok=True)
        self.storage = open_storage(f"sqlite:///{folder / 'log.db'}")
        metadata.create_all(self.storage.engine)
        self.keystore, self.organization_id = keystore or MemoryKeystore(), organization_id or new_id()
        if log_key is not None:  # a fork of a log that there is
            self.keystore = self.keystore.forgetful()
        self.audit = AuditLog(self.storage, self.keystore, SystemClock())
        self.log_key = log_key or self.keystore.generate_service_key(self.organization_id, f"log/{ORIGIN}", "ed25519")
        with self.storage.transaction(self.organization_id) as tx:
            self.audit.create_log(tx, self.organization_id, ORIGIN, self.log_key)
        self.lie = lambda answer: answer
        self.asked = []

    @property
    def public_key(self):
        """The log's key, raw."""
        return self.log_key.spki[-32:]

    def act(self, kind="key.release", chain_id=MAILBOX, **fields):
        """Do something that is logged, and have it signed."""
        with self.storage.transaction(self.organization_id) as tx:
            self.audit.append(tx, Act(self.organization_id, chain_id, kind, fields))
        self.audit.sequence(self.organization_id)

    def get(self, path, answer_type):
        """Answer as the server does."""
        self.asked.append(path)
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        if answer_type is ConsistencyAnswer:
            sizes = int(query["first"]), int(query["second"])
            return ConsistencyAnswer(proof=self.audit.consistency(self.organization_id, *sizes))
        if answer_type is BreaksAnswer:
            return BreaksAnswer(breaks=self.audit.breaks(self.organization_id))
        assert answer_type is ChainAnswer
        view = self.audit.chain(self.organization_id, query["mailbox"], int(query["after"]))
        answer = ChainAnswer(
            chain_id=query["mailbox"],
            leaves=tuple(leaf.opening() for leaf in view.leaves),
            head_number=view.head_number,
            head_hash=view.head_hash,
            checkpoint=view.checkpoint,
            map_siblings=view.map_proof.siblings,
            map_other=view.map_proof.other,
        )
        return self.lie(answer)


class RestoredServer(LogServer):
    """The log of another server as it was in a copy of its database; its keystore remembers no more than that."""

    def __init__(self, original, folder, copy):
        folder.mkdir()
        shutil.copy(copy, folder / "log.db")
        self.storage = open_storage(f"sqlite:///{folder / 'log.db'}")
        self.organization_id, self.log_key = original.organization_id, original.log_key
        self.keystore = original.keystore.forgetful()
        self.audit = AuditLog(self.storage, self.keystore, SystemClock())
        text = split_note(self.audit.checkpoint(self.organization_id))[0]
        empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT).encode()
        self.keystore.sign_checkpoint(self.log_key, empty, "", ())
        self.keystore.sign_checkpoint(self.log_key, text, empty, ())
        self.lie = lambda answer: answer
        self.asked = []


class OwnersDevice:
    """Stands for a `ClientContext` of a device that is set up."""

    def __init__(self, server):
        self.server = self.session = server
        self.state = ClientState(
            address="alice@example.test", device_name="laptop", invitation=INVITATION, mail_password="m"
        )
        self.statement = SimpleNamespace(log_origin=ORIGIN, log_key=server.public_key)
        self.enrolled = SimpleNamespace(organization_id=server.organization_id, mailbox_id=MAILBOX)

    @property
    def store(self):
        """The device itself keeps its state."""
        return self

    break_log = ClientStore.break_log

    def update(self, changes):
        """Keep changes."""
        fields = {name: getattr(self.state, name) for name in self.state.__struct_fields__}
        self.state = type(self.state)(**(fields | changes))
