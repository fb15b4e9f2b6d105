"""Options that all client commands share, and opening the mailbox they name."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from sealwright.client.context import ClientContext
from sealwright.client.shared import open_mailbox_context
from sealwright.client.store import client_home, list_stores
from sealwright.client.store_key import KeyChoice
from sealwright.clock import SystemClock
from sealwright.errors import InputError, NotFoundError

F = TypeVar("F", bound=Callable[..., Any])
EXISTING_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
OUTPUT_FILE = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """What the shared options say.

    Attributes:
        address: The mailbox; None if there is only one.
        passphrase_file: Of the store.
        as_json: Print JSON.
    """

    address: str | None
    passphrase_file: Path | None
    as_json: bool

    @property
    def choice(self) -> KeyChoice:
        """Where the store's key is."""
        return KeyChoice(passphrase_file=self.passphrase_file)

    @contextmanager
    def open(self, otherwise: str = "") -> Iterator[ClientContext]:
        """Open the mailbox.

        Args:
            otherwise: What else would do, said where there is no mailbox: "or give ...".

        Raises:
            NotFoundError: If this device is not set up.
            InputError: If it is set up for several mailboxes and none was named.
        """
        home = client_home()
        stores = list_stores(home)
        if self.address is None and not stores:
            how = "run `sealwright setup ADDRESS --invitation FILE`"
            raise NotFoundError(f"this device is not set up; {how}{', ' if otherwise else ''}{otherwise}")
        if self.address is None and len(stores) > 1:
            raise InputError(f"give --address; this device has {', '.join(stores)}")
        with open_mailbox_context(home, self.address or stores[0], SystemClock(), self.choice) as context:
            yield context


def client_options(command: F) -> F:
    """Add the shared options to a command; they arrive as the first argument, a `ClientOptions`."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, address: str | None, passphrase_file: Path | None, as_json: bool, **rest: Any) -> Any:
        return command(ClientOptions(address, passphrase_file, as_json), *arguments, **rest)

    options = (
        click.option("--address", help="The mailbox, if this device has several; or a shared one."),
        click.option("--passphrase-file", type=EXISTING_FILE, help="First line is the passphrase of the store."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
    )
    decorated: Any = wrapped
    for option in reversed(options):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]
