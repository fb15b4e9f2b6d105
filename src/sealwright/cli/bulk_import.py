"""`sealwright people import-keys`: old keys of many people from a list of files; can be stopped and goes on."""

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import click
from rich.console import Console
from rich.progress import track

from sealwright.cli.client_options import EXISTING_FILE
from sealwright.cli.key_import import read_keys
from sealwright.cli.operator_options import DATA, JSON, ask
from sealwright.cli.output import print_json
from sealwright.client.importing import BATCH, historic_keys, seal_key
from sealwright.client.key_files import read_file, read_password
from sealwright.errors import InputError, UnavailableError
from sealwright.wire.encoding import sha256
from sealwright.wire.key_import import ImportAnswer, ImportKeyAnswer, ImportOutcome
from sealwright.wire.operator import MailboxKeysImport, PeopleList

COLUMNS = frozenset(("address", "file", "password", "certificate"))
MAX_ROWS = 200_000
"""Twenty files for each of 10,000 people."""


@click.command("import-keys")
@click.argument("file", type=EXISTING_FILE)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where the files lie; else beside FILE.",
)
@click.option("--password-file", "password_files", multiple=True, type=EXISTING_FILE, help="First line opens files.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where each row's result goes, a JSON document a line; FILE.report without.",
)
@DATA
@JSON
def bulk_import(
    file: Path,
    folder: Path | None,
    password_files: tuple[Path, ...],
    report: Path | None,
    data: Path,
    as_json: bool,
) -> None:
    """Import old keys of many people.

    FILE is CSV with the columns address and file (PKCS#12, or PKCS#8 in PEM), and if needed password and certificate.
    The same command goes on where it stopped: rows that the report calls done are not done again.
    """
    rows, report = read_key_list(file), report or file.with_name(file.name + ".report")
    passwords = [read_password(each) for each in password_files]
    done = _done(report)
    import_key = ask(data, "GET", "/local/import-key", None, ImportKeyAnswer)
    mailboxes = {each.address: each.mailbox_id for each in ask(data, "GET", "/local/people", None, PeopleList).people}
    counts = {"imported": 0, "existing": 0, "refused": 0, "done before": 0}
    with report.open("a", encoding="utf-8") as log:
        for row in track(rows, "Importing keys", console=Console(stderr=True), disable=not os.isatty(2)):
            path = (folder or file.parent) / row["file"]
            digest = _digest(path)
            if (row["address"], row["file"], digest) in done:
                counts["done before"] += 1
                continue
            try:
                result = _import_row(row, path, passwords, import_key, mailboxes, data)
            except UnavailableError:
                raise  # says nothing about the row: the next run does it
            except InputError as error:
                result = {"outcome": "refused", "reason": error.message}
            counts[result["outcome"]] += 1
            _write_line(log, {"address": row["address"], "file": row["file"], "sha256": digest, **result})
    if as_json:
        print_json({**counts, "report": str(report)})
    else:
        click.echo(", ".join(f"{count} {name}" for name, count in counts.items()) + f". Report: {report}")
    if counts["refused"]:
        raise InputError(f"{counts['refused']} rows were refused; {report} says why")


def read_key_list(file: Path) -> list[dict[str, str]]:
    """Read the list of files.

    Raises:
        InputError: If it is not UTF-8, lacks a column, has one that is not known, or too many rows.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            sample = stream.readline()
            stream.seek(0)
            reader = csv.DictReader(stream, delimiter=";" if ";" in sample else ",", restval="")
            columns = [(name or "").strip().lower() for name in reader.fieldnames or ()]
            if not {"address", "file"} <= set(columns) <= COLUMNS:
                raise InputError(
                    f"{file}: the first row names the columns address, file and if needed password, certificate"
                )
            reader.fieldnames = columns
            rows: list[dict[str, str]] = []
            for row in reader:
                if None in row or len(rows) >= MAX_ROWS:
                    raise InputError(f"{file}: line {reader.line_num} has too many fields, or there are too many lines")
                rows.append({"password": "", "certificate": ""} | {name: value.strip() for name, value in row.items()})
            return rows
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} is not a CSV file in UTF-8: {error}") from error


def _import_row(
    row: dict[str, str],
    path: Path,
    passwords: Sequence[bytes],
    import_key: ImportKeyAnswer,
    mailboxes: dict[str, str],
    data: Path,
) -> dict[str, str]:
    """Import the keys of one file; the worst outcome of its keys is the row's."""
    address = row["address"].lower()
    if address not in mailboxes:
        raise InputError(f"nobody has the address {address}")
    own = [row["password"].encode("utf-8")] if row["password"] else []
    certificates = [path.parent / row["certificate"]] if row["certificate"] else []
    keys, _others = historic_keys(read_keys(path, [*own, *passwords], certificates))
    if not keys:
        raise InputError("the file holds no key that decrypts mail")
    outcomes: list[ImportOutcome] = []
    for start in range(0, len(keys), BATCH):
        sealed = [
            seal_key(key, import_key, import_key.organization_id, mailboxes[address])
            for key in keys[start : start + BATCH]
        ]
        request = MailboxKeysImport(mailbox_id=mailboxes[address], keys=tuple(sealed))
        outcomes += ask(data, "POST", "/local/people/keys", request, ImportAnswer).outcomes
    worst = max(outcomes, key=lambda each: ("existing", "imported", "refused").index(each.outcome))
    return {
        "outcome": worst.outcome,
        "reason": worst.reason,
        "key_ids": ",".join(each.key_id for each in outcomes if each.key_id),
    }


def _digest(path: Path) -> str:
    try:
        return sha256(read_file(path)).hex()
    except InputError:
        return ""  # it is refused with its reason when its turn comes


def _done(report: Path) -> set[tuple[str, str, str]]:
    """Return what an earlier run finished; a last line that was cut off is done again."""
    done: set[tuple[str, str, str]] = set()
    if not report.exists():
        return done
    text = report.read_text(encoding="utf-8", errors="replace")
    if text and not text.endswith("\n"):
        with report.open("a", encoding="utf-8") as log:
            log.write("\n")
    for line in text.splitlines():
        try:
            result = json.loads(line)
        except ValueError:
            continue
        if isinstance(result, dict) and result.get("outcome") in ("imported", "existing"):
            done.add((str(result.get("address")), str(result.get("file")), str(result.get("sha256"))))
    return done


def _write_line(log: IO[str], result: dict[str, str]) -> None:
    log.write(json.dumps(result, ensure_ascii=False) + "\n")
    log.flush()
    os.fsync(log.fileno())
