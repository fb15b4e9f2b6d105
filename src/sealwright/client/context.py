"""One open mailbox of this device with everything its commands need: store, statement, server, mail servers."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path

from cryptography import x509

from sealwright.client.checkpoints import remember_checkpoint
from sealwright.client.discovery import check_same_authority, check_statement, fetch_statement
from sealwright.client.issuer_certificates import IssuerSources
from sealwright.client.keys import KeyRing, load_certificates
from sealwright.client.known_hosts import KnownHosts
from sealwright.client.remote_decrypt import RemoteKeys
from sealwright.client.revocation import RevocationSources
from sealwright.client.session import ServerSession, load_p256_private_key
from sealwright.client.state import DeviceKeys, Enrolled
from sealwright.client.store import ClientStore
from sealwright.client.store_key import KeyChoice
from sealwright.clock import Clock
from sealwright.errors import ConfigurationError, UnavailableError
from sealwright.net.http import HttpClient
from sealwright.net.imap import Mailbox, open_mailbox
from sealwright.net.smtp import MailCredentials, submit_mail
from sealwright.wire.api import AccessToken
from sealwright.wire.statement import DomainStatement


class ClientContext:
    """A set-up mailbox in use.

    Args:
        store: Open.
        clock: The time.
    """

    def __init__(self, store: ClientStore, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self._statement: DomainStatement | None = None
        self._session: ServerSession | None = None

    @property
    def statement(self) -> DomainStatement:
        """The organization's newest statement; the last one seen while no server answers and it is valid.

        Raises:
            VerificationError: If what the server says is not to be trusted.
            UnavailableError: If no server answers and none was seen.
        """
        if self._statement is None:
            self._statement = self._refresh_statement()
        return self._statement

    def _refresh_statement(self) -> DomainStatement:
        state, now = self.store.state, self.clock.now()
        http = HttpClient(state.invitation.tls_anchors)
        try:
            signed, statement = fetch_statement(state.invitation, http, now, state.statement_sequence)
        except UnavailableError:
            if state.signed_statement is None:
                raise
            return check_statement(state.signed_statement, state.invitation, now, state.statement_sequence)
        if state.signed_statement is not None:
            check_same_authority(state.signed_statement, statement)
        if signed != state.signed_statement:
            self.store.update({"signed_statement": signed, "statement_sequence": statement.sequence})
        return statement

    @property
    def anchors(self) -> tuple[bytes, ...]:
        """TLS anchors: the invitation's and the statement's; the system's own come with the connection."""
        return tuple(dict.fromkeys((*self.store.state.invitation.tls_anchors, *self.statement.tls_anchors)))

    @property
    def session(self) -> ServerSession:
        """The conversation with the server.

        Raises:
            ConfigurationError: If the device has no keys yet.
        """
        if self._session is None:
            keys = self.device_keys
            self._session = ServerSession(
                self.statement.endpoints,
                HttpClient(self.anchors),
                load_p256_private_key(keys.authentication_key_pkcs8),
                self.clock,
                self.store.state.token,
                self._keep_token,
            )
        return self._session

    def session_beside_store(self) -> ServerSession:
        """Return a conversation that goes on after the store is closed; a new token is not kept."""
        return ServerSession(
            self.statement.endpoints,
            HttpClient(self.anchors),
            load_p256_private_key(self.device_keys.authentication_key_pkcs8),
            self.clock,
            self.store.state.token,
        )

    def _keep_token(self, token: AccessToken) -> None:
        self.store.update({"token": token})

    @property
    def enrolled(self) -> Enrolled:
        """Who this device is.

        Raises:
            ConfigurationError: If set-up has not come that far.
        """
        if self.store.state.enrolled is None:
            raise ConfigurationError("this device is not enrolled yet; run `sealwright setup` again")
        return self.store.state.enrolled

    @property
    def device_keys(self) -> DeviceKeys:
        """The device's own keys.

        Raises:
            ConfigurationError: If set-up has not come that far.
        """
        if self.store.state.device_keys is None:
            raise ConfigurationError("this device has no keys yet; run `sealwright setup` again")
        return self.store.state.device_keys

    @property
    def key_ring(self) -> KeyRing:
        """All generations of the mailbox's key, and those of the shared mailboxes."""
        keys, device = self.store.state.mailbox_keys, self.store.state.device_keys
        shared = [key for each in self.store.state.shared for key in each.mailbox_keys if key.private_key_pkcs8]
        if device is None or all(key.private_key_pkcs8 for key in keys):
            return KeyRing(keys, shared=shared)
        return KeyRing(keys, self._remote_keys.unwrap, shared)

    @cached_property
    def _remote_keys(self) -> RemoteKeys:
        return RemoteKeys(self.session, self.enrolled, self.device_keys, self.statement, self._remember_checkpoint)

    def _remember_checkpoint(self, note: str) -> None:
        remember_checkpoint(note, self.store, self.session, self.statement)

    @property
    def smime_anchors(self) -> tuple[x509.Certificate, ...]:
        """The organization's roots for mail; they count for its own domain only."""
        return load_certificates(self.statement.smime_anchors)

    @cached_property
    def _known_hosts(self) -> KnownHosts:
        return KnownHosts(self.statement.endpoints, self.smime_anchors)

    @cached_property
    def revocation_sources(self) -> RevocationSources:
        """Where revocation is looked up."""
        return RevocationSources(self._known_hosts)

    @cached_property
    def issuer_sources(self) -> IssuerSources:
        """Where missing intermediates come from."""
        return IssuerSources(self._known_hosts, self.anchors)

    def credentials(self) -> MailCredentials:
        """Return the mail account's log-in."""
        return MailCredentials(self.store.state.account, self.store.state.mail_password)

    def mailbox(self) -> AbstractContextManager[Mailbox]:
        """Open the mailbox.

        Raises:
            ConfigurationError: If the statement names no IMAP server.
        """
        if self.statement.imap is None:
            raise ConfigurationError("the organization's statement names no IMAP server; ask the administrator")
        return open_mailbox(self.statement.imap, self.credentials(), self.anchors)

    def submit(self, recipients: tuple[str, ...], message: bytes) -> None:
        """Relay a message that is ready to leave.

        Raises:
            ConfigurationError: If the statement names no submission server.
        """
        if self.statement.submission is None:
            raise ConfigurationError("the organization's statement names no submission server; ask the administrator")
        submit_mail(
            self.statement.submission,
            self.store.state.account,
            recipients,
            message,
            credentials=self.credentials(),
            anchors=self.anchors,
        )


@contextmanager
def open_context(home: Path, address: str, clock: Clock, choice: KeyChoice | None = None) -> Iterator[ClientContext]:
    """Open the store of a mailbox and hand out its context.

    Raises:
        NotFoundError: If the device is not set up for the address.
        ConfigurationError: If the store cannot be opened, or set-up was not finished.
    """
    with ClientStore.open(home, address, choice) as store:
        if not store.state.is_set_up:
            raise ConfigurationError(f"set-up of {address} is not finished; run `sealwright setup {address}` again")
        yield ClientContext(store, clock)
