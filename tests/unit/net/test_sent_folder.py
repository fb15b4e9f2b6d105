"""The sender's own copy goes where the mailbox keeps sent mail: what RFC 6154 marks, else what is usually called so."""

from types import SimpleNamespace

import imapclient
import pytest

from sealwright.errors import UnavailableError
from sealwright.net.imap import Mailbox


class Folders:
    def __init__(self, *folders, prefix=None):
        self.folders, self.prefix, self.appended, self.made = folders, prefix, [], []

    def has_capability(self, name):
        return name == "NAMESPACE" and self.prefix is not None

    def namespace(self):
        return SimpleNamespace(personal=((self.prefix, b"."),))

    def create_folder(self, name):
        self.made.append(("create", name))

    def subscribe_folder(self, name):
        self.made.append(("subscribe", name))

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


@pytest.mark.parametrize(("prefix", "name"), [(None, "Sent"), (b"INBOX.", "INBOX.Sent")])
def test_without_a_folder_one_is_made_where_the_mailbox_has_its_own(prefix, name):
    client = Folders(("INBOX",), ("Consent",), prefix=prefix)
    Mailbox(client).append_sent(b"mail")
    assert client.made == [("create", name), ("subscribe", name)]
    assert client.appended == [(name, b"mail", (imapclient.SEEN,))]


def test_without_room_it_says_so():
    with pytest.raises(UnavailableError):
        Mailbox(Folders(("Full", b"\\Sent"))).append_sent(b"mail")
