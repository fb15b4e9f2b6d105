"""Reading a mailbox over IMAP (RFC 9051 and 3501), with verified TLS; in clear to this machine only."""

import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import imapclient
from imapclient.exceptions import IMAPClientError, LoginError

from sealwright.errors import (
    AuthenticationError,
    ConfigurationError,
    UnavailableError,
    VerificationError,
)
from sealwright.net.smtp import MailCredentials
from sealwright.net.tls import client_context, is_loopback, why_not_valid
from sealwright.wire.statement import MailServer

TIMEOUT_SECONDS = 60.0
MAX_MESSAGE_BYTES = 50 * 1024 * 1024
_SENT_NAMES = ("sent", "sent items", "sent messages", "[gmail]/sent mail", "inbox.sent", "inbox/sent")
_SENT_NAME = "Sent"
_JUNK_NAMES = frozenset(("junk", "spam", "junk e-mail", "junk email", "[gmail]/spam", "inbox.junk", "inbox.spam"))


_APPENDED = re.compile(rb"APPENDUID [0-9]+ ([0-9]+)")
_MESSAGE_ID = re.compile(rb"(?im)^message-id:[ \t]*(?:\r?\n[ \t]+)?(\S+)[ \t]*\r?$")


class Mailbox:
    """One logged-in mailbox. Folders are opened as needed."""

    def __init__(self, client: imapclient.IMAPClient) -> None:
        self._client = client
        self._selected: tuple[str, bool] | None = None

    def inbox_and_junk(self) -> tuple[str, ...]:
        """Return "INBOX" and, where there is one, the folder for junk mail."""
        with _mapped():
            for flags, _delimiter, name in self._client.list_folders():
                is_junk = any(_text(flag).lower() == "\\junk" for flag in flags)
                if is_junk or _text(name).lower() in _JUNK_NAMES:
                    return ("INBOX", _text(name))
        return ("INBOX",)

    def append_sent(self, message: bytes) -> None:
        """Put a message into the folder for sent mail (by RFC 6154, else one that is called so), marked as read.

        Where there is none it is made.
        """
        with _mapped():
            folders = [
                ({_text(flag).lower() for flag in flags}, name) for flags, _, name in self._client.list_folders()
            ]
            marked = [name for flags, name in folders if "\\sent" in flags]
            called = [name for _, name in folders if _text(name).lower() in _SENT_NAMES]
            found = marked or called or [self._create_sent()]
            self._client.append(found[0], message, flags=(imapclient.SEEN,))

    def _create_sent(self) -> str:
        """Make the folder for sent mail in the personal namespace, and show it to mail programs; found by its name then."""
        prefix = ""
        if self._client.has_capability("NAMESPACE") and (personal := self._client.namespace().personal):
            prefix = _text(personal[0][0])
        self._client.create_folder(prefix + _SENT_NAME)
        self._client.subscribe_folder(prefix + _SENT_NAME)
        return prefix + _SENT_NAME

    def find_by_header(self, folder: str, header: str, value: str) -> list[int]:
        """Return the UIDs of mails whose header contains `value`, oldest first."""
        with _mapped():
            self._select(folder, writable=False)
            self._client.noop()
            return sorted(self._client.search(["HEADER", header, value]))

    def newest(self, folder: str, limit: int) -> list[int]:
        """Return the UIDs of the newest `limit` mails, newest first."""
        with _mapped():
            self._select(folder, writable=False)
            uids: list[int] = sorted(self._client.search(["NOT", "DELETED"]), reverse=True)
        return uids[:limit]

    def fetch(self, folder: str, uid: int) -> bytes | None:
        """Return one whole message without marking it read; None if it is gone.

        Raises:
            UnavailableError: If it is longer than 50 MiB.
        """
        with _mapped():
            self._select(folder, writable=False)
            size = self._client.fetch([uid], ["RFC822.SIZE"]).get(uid, {}).get(b"RFC822.SIZE")
            if size is None:
                return None
            if size > MAX_MESSAGE_BYTES:
                raise UnavailableError(f"message {uid} is longer than 50 MiB")
            data = self._client.fetch([uid], ["BODY.PEEK[]"]).get(uid, {}).get(b"BODY[]")
        return data if isinstance(data, bytes) else None

    def remove(self, folder: str, uid: int) -> None:
        """Remove one message for good."""
        with _mapped():
            self._select(folder, writable=True)
            self._client.delete_messages([uid])
            if self._client.has_capability("UIDPLUS"):
                self._client.uid_expunge([uid])
            else:
                self._client.expunge()

    def replace(self, folder: str, uid: int, message: bytes) -> None:
        """Put a message into the place of another, with its flags and time; the old one goes when the new one was read back.

        One that an earlier try put there is found by its Message-ID.

        Raises:
            UnavailableError: If the server did not keep it as it was sent; the old one is still there.
        """
        wanted, identifier = _lines(message), _message_id(message)
        others = self.find_by_header(folder, "Message-ID", identifier) if identifier else []
        if not any(_lines(self.fetch(folder, each) or b"") == wanted for each in others if each != uid):
            with _mapped():
                self._select(folder, writable=False)
                old = self._client.fetch([uid], ["FLAGS", "INTERNALDATE"]).get(uid, {})
                flags = [flag for flag in old.get(b"FLAGS", ()) if _text(flag).lower() != "\\recent"]
                answer = self._client.append(folder, message, flags=flags, msg_time=old.get(b"INTERNALDATE"))
                self._client.noop()
            found = _APPENDED.search(answer if isinstance(answer, bytes) else str(answer).encode())
            place = int(found[1]) if found else max(self.newest(folder, 1), default=0)
            if _lines(self.fetch(folder, place) or b"") != wanted:
                raise UnavailableError("the mail server did not keep the message as it was sent")
        self.remove(folder, uid)

    def _select(self, folder: str, *, writable: bool) -> None:
        if self._selected != (folder, writable):
            self._client.select_folder(folder, readonly=not writable)
            self._selected = (folder, writable)


@contextmanager
def open_mailbox(server: MailServer, credentials: MailCredentials, anchors: Sequence[bytes] = ()) -> Iterator[Mailbox]:
    """Log in and hand out the mailbox; log out at the end.

    Args:
        server: `security` is "tls", "starttls", or "none" for a server on this machine.
        credentials: Sent over TLS or to this machine only.
        anchors: DER certificates trusted besides the system's own.

    Raises:
        ConfigurationError: If the server is to be used in clear and is not this machine.
        VerificationError: If its TLS certificate is not valid; no password was sent.
        AuthenticationError: If the log-in is refused.
        UnavailableError: If it does not answer, or breaks off.
    """
    host = f"{server.host}:{server.port}"
    if server.security not in ("tls", "starttls") and not (server.security == "none" and is_loopback(server.host)):
        raise ConfigurationError(f"mail on {server.host} needs TLS; security is {server.security!r}")
    context = client_context(anchors)
    client: imapclient.IMAPClient | None = None
    try:
        with _mapped(host):
            client = imapclient.IMAPClient(
                server.host,
                server.port,
                ssl=server.security == "tls",
                ssl_context=context if server.security == "tls" else None,
                timeout=TIMEOUT_SECONDS,
            )
            if server.security == "starttls":
                client.starttls(context)
            client.login(credentials.user, credentials.password)
        yield Mailbox(client)
    finally:
        if client is not None:
            try:
                client.logout()
            except (IMAPClientError, OSError):
                client.shutdown()


@contextmanager
def _mapped(host: str = "the mail server") -> Iterator[None]:
    try:
        yield
    except LoginError as error:
        raise AuthenticationError(f"{host} refuses the mail password") from error
    except ssl.SSLCertVerificationError as error:
        raise VerificationError(f"{why_not_valid(host, error)}; no password was sent") from error
    except (IMAPClientError, OSError) as error:
        raise UnavailableError(f"{host} does not answer, or broke off") from error


def _lines(message: bytes) -> bytes:
    """Return a message as IMAP carries it, whatever line ends it came with."""
    return message.replace(b"\r\n", b"\n")


def _message_id(message: bytes) -> str:
    head = message.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    found = _MESSAGE_ID.search(head)
    return found[1].decode("ascii", "replace") if found else ""


def _text(value: bytes | str) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value
