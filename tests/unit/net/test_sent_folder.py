"""The sender's own copy goes where the mailbox keeps sent mail: what RFC 6154 marks, else what is usually called so."""

import imapclient
import pytest

from sealwright.errors import NotFoundError, UnavailableError
from sealwright.net.imap import Mailbox


class Folders:
    def __init__(self, *folders):
        self.folders, self.appended = folders, []

    def list_folders(self):
        return [(flags, b"/", name) for name, *flags in self.folders]

    def append(self, folder, message, flags):
        if folder == "Full":
            raise imapclient.exceptions.IMAPClientError("[OVERQUOTA]")
        self.appended.append((folder, message, flags))


@pytest.mark.parametrize(
    ("folders", "chosen"),
    [
        ([("INBOX",), ("Sent", b"\\HasNoChildren"), ("Gesendet", b"\\Sent")], "Gesendet"),
        ([("INBOX",), ("Sent Items",)], "Sent Items"),
        ([("INBOX",), ("INBOX.Sent", b"\\HasNoChildren")], "INBOX.Sent"),
    ],
)
def test_the_folder_is_chosen_by_its_mark_then_by_its_name(folders, chosen):
    client = Folders(*folders)
    Mailbox(client).append_sent(b"mail")
    assert client.appended == [(chosen, b"mail", (imapclient.SEEN,))]


def test_without_a_folder_or_room_it_says_so():
    with pytest.raises(NotFoundError):
        Mailbox(Folders(("INBOX",), ("Consent",))).append_sent(b"mail")
    with pytest.raises(UnavailableError):
        Mailbox(Folders(("Full", b"\\Sent"))).append_sent(b"mail")
