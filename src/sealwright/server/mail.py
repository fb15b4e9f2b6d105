"""Handing the server's own mails to the mail server of the settings."""

from pathlib import Path

from sealwright.errors import ConfigurationError
from sealwright.net.smtp import MailCredentials, submit_mail
from sealwright.server.settings import MailSection
from sealwright.wire.statement import MailServer


class Mailer:
    """Submits mails.

    Args:
        section: Where.
        anchors: DER certificates trusted besides the system's own.
    """

    def __init__(self, section: MailSection, anchors: tuple[bytes, ...]) -> None:
        self._section, self._anchors = section, anchors

    @property
    def sender(self) -> str:
        """The sender's address.

        Raises:
            ConfigurationError: If none is set.
        """
        if not self._section.sender:
            raise ConfigurationError("[mail] sender: set the address that challenge mails come from")
        return self._section.sender

    def send(self, recipient: str, message: bytes) -> None:
        """Hand one mail over.

        Raises:
            ConfigurationError: If no sender is set, or the password file cannot be read.
            SealwrightError: What `net.smtp.submit_mail` raises.
        """
        section = self._section
        server = MailServer(host=section.host, port=section.port, security=section.security)
        submit_mail(server, self.sender, [recipient], message, credentials=self._credentials(), anchors=self._anchors)

    def _credentials(self) -> MailCredentials | None:
        if not self._section.user:
            return None
        try:
            password = Path(self._section.password_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError("[mail] password_file cannot be read") from error
        return MailCredentials(self._section.user, password)
