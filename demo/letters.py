"""The letters of the story: written, sent and read with a device's own commands."""

from pathlib import Path
from tempfile import TemporaryDirectory

from demo.programs import Device, Outcome

ATTACHMENT_NAME = "figures.csv"
_RAW_FIELDS = ("From", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding")


def send(device: Device, to: str, subject: str, text: str, table: str = "", *, may_fail: bool = False) -> Outcome:
    """Send a mail from a device, with a table attached if one is given."""
    with TemporaryDirectory() as folder:
        attached = []
        if table:
            path = Path(folder) / ATTACHMENT_NAME
            path.write_text(table, encoding="utf-8")
            attached = ["--attach", str(path)]
        return device.run("send", "--to", to, "--subject", subject, *attached, given=text, may_fail=may_fail)


def answer(device: Device, text: str) -> Outcome:
    """Answer the newest mail from a device, quoting it."""
    return device.run("reply", "1", "--quote", given=text)


def raw_lines(raw: bytes) -> list[str]:
    """Return how a message as it lies on disk begins: the fields that people know, and three lines of its content."""
    head, _, body = raw.decode("ascii", "replace").replace("\r\n", "\n").partition("\n\n")
    fields = [line for line in head.splitlines() if line.split(":")[0] in _RAW_FIELDS]
    return [line[:100] for line in (*fields, "", *body.splitlines()[:3], "...")]


def read_newest(device: Device) -> str:
    """Return what a device shows of the newest mail."""
    return device.run("read", "1").output
