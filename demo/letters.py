"""The letters of the story: written, sent and read with a device's own commands."""

from email.message import EmailMessage
from email.utils import make_msgid

from demo.programs import Device, Outcome

ATTACHMENT_NAME = "figures.csv"
_RAW_FIELDS = ("From", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding")


def send(
    device: Device, to: str, subject: str, text: str, table: str = "", *, in_reply_to: str = "", may_fail: bool = False
) -> Outcome:
    """Send a mail from a device, with a table attached if one is given."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = device.address, to, subject
    message["Message-ID"] = make_msgid(domain="example.test")
    if in_reply_to:
        message["In-Reply-To"] = message["References"] = in_reply_to
    message.set_content(text + "\n")
    if table:
        message.add_attachment(table, subtype="csv", filename=ATTACHMENT_NAME)
    return device.run("send", given=message.as_string(), may_fail=may_fail)


def raw_lines(raw: bytes) -> list[str]:
    """Return how a message as it lies on disk begins: the fields that people know, and three lines of its content."""
    head, _, body = raw.decode("ascii", "replace").replace("\r\n", "\n").partition("\n\n")
    fields = [line for line in head.splitlines() if line.split(":")[0] in _RAW_FIELDS]
    return [line[:100] for line in (*fields, "", *body.splitlines()[:3], "...")]


def read_newest(device: Device) -> str:
    """Return what a device shows of the newest mail."""
    return device.run("read", "1").output
