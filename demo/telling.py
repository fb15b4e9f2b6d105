"""How the story is told: chapters, and claims that hold or end it."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape

TELL = Console(highlight=False, soft_wrap=True)
WAIT_SECONDS = 30.0
ALICE, BOB, CAROL, DAVE = (f"{name}@example.test" for name in ("alice", "bob", "carol", "dave"))


class StoryError(Exception):
    """A step does not hold."""


def check(holds: bool, claim: str) -> None:
    """Say what holds, or end the story."""
    if not holds:
        raise StoryError(claim)
    TELL.print(f"  [green]✓[/green] {escape(claim)}")


def wait_until(holds: Callable[[], bool], claim: str) -> None:
    """Wait for what the server does by itself, and say that it holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.3)
    check(holds(), claim)


def chapter(title: str) -> None:
    """Begin a chapter."""
    TELL.print(f"\n[bold]{title}[/bold]")
