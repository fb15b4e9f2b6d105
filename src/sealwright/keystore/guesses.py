"""How often a protection password may be guessed: counted next to the seal, before each guess is looked at.

All keystore processes share the count, and a restart keeps it. Devices that proved the password once never guess again, so
whoever uses the guesses up keeps no enrolled device out - only new ones, for a while, and an enrolment secret lets them in.
"""

from datetime import datetime, timedelta
from pathlib import Path

from sealwright.errors import DecodingError, RateLimitedError, SealedError, UnavailableError
from sealwright.files import locked, replace_file
from sealwright.wire.encoding import decode_fields, encode_fields, sha256

GUESSES_NAME = "guesses"
LIMITS = ((timedelta(hours=1), 5), (timedelta(days=1), 10), (timedelta(days=30), 50))
"""Within each period so many wrong ones: 600 a year against a password that is not among the first thousand."""
_PURPOSE = "sealwright guesses"


class GuessLimit:
    """The folder of counts; safe from any thread and between processes.

    Args:
        folder: Made with the first guess.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def count(self, organization_id: str, mailbox_id: str, now: datetime) -> None:
        """Count a guess, durably.

        Raises:
            RateLimitedError: If there were too many; this one is then not looked at.
            UnavailableError: If it cannot be counted.
        """
        path = self._path(organization_id, mailbox_id)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with locked(path):
                longest = max(period for period, _most in LIMITS)
                made = [time for time in self._read(path) if now - longest < time <= now]
                for period, most in LIMITS:
                    within = [time for time in made if time > now - period]
                    if len(within) >= most:
                        seconds = int((within[-most] + period - now).total_seconds()) + 1
                        raise RateLimitedError(
                            f"too many wrong protection passwords for this mailbox; try again in {seconds // 60 + 1} minutes, "
                            "or use an enrolment secret",
                            seconds,
                        )
                self._write(path, [*made, now])
        except OSError as error:
            raise UnavailableError(f"the guess cannot be counted: {error.strerror}") from error

    def clear(self, organization_id: str, mailbox_id: str) -> None:
        """Forget the guesses before a right one."""
        path = self._path(organization_id, mailbox_id)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with locked(path):
                self._write(path, [])
        except OSError as error:
            raise UnavailableError(f"the guesses cannot be cleared: {error.strerror}") from error

    def _read(self, path: Path) -> list[datetime]:
        try:
            return [
                datetime.fromisoformat(time.decode("ascii")) for time in decode_fields(_PURPOSE, 1, path.read_bytes())
            ]
        except FileNotFoundError:
            return []
        except (ValueError, DecodingError) as error:
            raise SealedError("the count of guesses cannot be read") from error

    def _write(self, path: Path, times: list[datetime]) -> None:
        replace_file(path, encode_fields(_PURPOSE, 1, *(time.isoformat().encode("ascii") for time in times)))

    def _path(self, organization_id: str, mailbox_id: str) -> Path:
        parts = (organization_id.encode("utf-8"), mailbox_id.encode("utf-8"))
        return self._folder / sha256(encode_fields(_PURPOSE, 1, *parts)).hex()
