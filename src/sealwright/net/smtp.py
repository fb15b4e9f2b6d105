"""Submitting mail over SMTP (RFC 6409), with verified TLS; in clear to this machine only."""

import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field

from sealwright.errors import (
    AuthenticationError,
    ConfigurationError,
    InputError,
    OutcomeUnknownError,
    UnavailableError,
    VerificationError,
)
from sealwright.net.tls import client_context, is_loopback, why_not_valid
from sealwright.wire.statement import MailServer

TIMEOUT_SECONDS = 60.0
_LEADING_DOT = re.compile(rb"(?m)^\.")


@dataclass(frozen=True, slots=True)
class MailCredentials:
    """A mail account's log-in.

    Attributes:
        user: Usually the address.
        password: Never in a repr.
    """

    user: str
    password: str = field(repr=False)


def submit_mail(
    server: MailServer,
    sender: str,
    recipients: Sequence[str],
    message: bytes,
    *,
    credentials: MailCredentials | None = None,
    anchors: Sequence[bytes] = (),
) -> None:
    """Hand one message to a mail server, for all recipients or for none.

    Args:
        server: `security` is "tls", "starttls", or "none" for a server on this machine.
        sender: Envelope sender, addr-spec.
        recipients: Envelope recipients, addr-specs.
        message: RFC 5322, CRLF.
        credentials: Log in first; sent over TLS or to this machine only.
        anchors: DER certificates trusted besides the system's own.

    Raises:
        ConfigurationError: If the server is to be used in clear and is not this machine.
        VerificationError: If the server's TLS certificate is not valid; no password was sent.
        AuthenticationError: If the log-in is refused.
        InputError: If the server refuses the sender, a recipient or the message for good.
        UnavailableError: If the server does not answer, or says "later".
        OutcomeUnknownError: If the connection broke after the server had the whole message: it may have gone out.
    """
    host = f"{server.host}:{server.port}"
    options = [] if all(address.isascii() for address in (sender, *recipients)) else ["SMTPUTF8"]
    try:
        with contextlib.closing(_connect(server, anchors)) as session:
            if credentials is not None:
                session.login(credentials.user, credentials.password)
            session.ehlo_or_helo_if_needed()
            code, answer = session.mail(sender, options)
            _check(code, answer, f"the sender {sender}")
            for recipient in recipients:
                code, answer = session.rcpt(recipient)
                _check(code, answer, f"the recipient {recipient}")
            _send_data(session, message, host)
            with contextlib.suppress(OSError, smtplib.SMTPException):  # the message is taken, whatever is said now
                session.quit()
    except smtplib.SMTPAuthenticationError as error:
        raise AuthenticationError(f"{host} refuses the mail password of {credentials and credentials.user}") from error
    except ssl.SSLCertVerificationError as error:
        raise VerificationError(f"{why_not_valid(host, error)}; no password was sent") from error
    except smtplib.SMTPNotSupportedError as error:
        raise ConfigurationError(f"{host} does not offer what is needed: {error}") from error
    except (OSError, smtplib.SMTPException) as error:
        raise UnavailableError(f"the mail server {host} does not answer") from error


def _send_data(session: smtplib.SMTP, message: bytes, host: str) -> None:
    """Send the message and wait for the server's word (RFC 5321 section 4.1.1.4); the one moment that cannot be told."""
    code, answer = session.docmd("DATA")
    if code != 354:
        _check(code, answer, "the message")
        raise UnavailableError(f"the mail server answers DATA with {code}")
    end = b"" if message.endswith(b"\r\n") else b"\r\n"
    session.send(_LEADING_DOT.sub(b"..", message) + end + b".\r\n")
    try:
        code, answer = session.getreply()
    except (OSError, smtplib.SMTPException) as error:
        raise OutcomeUnknownError(
            f"the connection to {host} broke after it had the whole mail: it may have gone out"
        ) from error
    _check(code, answer, "the message")


def _check(code: int, answer: bytes, what: str) -> None:
    if code in (250, 251, 252):
        return
    reason = answer.decode("utf-8", "replace").replace("\n", " ")[:200]
    if 400 <= code < 500 or code == -1:
        raise UnavailableError(f"the mail server does not take {what} now: {code} {reason}")
    raise InputError(f"the mail server refuses {what}: {code} {reason}")


def _connect(server: MailServer, anchors: Sequence[bytes]) -> smtplib.SMTP:
    context = client_context(anchors)
    name = socket.gethostname() or "localhost"
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, name, timeout=TIMEOUT_SECONDS, context=context)
    if server.security not in ("starttls", "none") or (server.security == "none" and not is_loopback(server.host)):
        raise ConfigurationError(f"mail to {server.host} needs TLS; security is {server.security!r}")
    session = smtplib.SMTP(server.host, server.port, name, timeout=TIMEOUT_SECONDS)
    if server.security == "starttls":
        try:
            session.starttls(context=context)
        except BaseException:
            session.close()
            raise
    return session
