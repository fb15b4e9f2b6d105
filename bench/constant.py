"""The web server of the product around an application that answers a constant: as fast as a look-up could be.

python -m bench.constant PORT OCTETS DATA
"""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from bench.load import Load
from demo.programs import free_port
from sealwright.server.run import tls_context, web_server_config
from sealwright.server.settings import load_settings

START_SECONDS = 20.0


@contextmanager
def constant_server(data: Path, anchor: Path, octets: int) -> Iterator[Load]:
    """Run it in a process of its own, with the TLS certificate of a data folder."""
    port = free_port()
    command = [sys.executable, "-m", "bench.constant", str(port), str(octets), str(data)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the constant server does not start")
            time.sleep(0.1)
        yield Load(port, anchor)
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main(port: int, octets: int, data: Path) -> None:
    """Serve until terminated."""
    body = b"x" * octets
    headers = [(b"content-type", b"application/json"), (b"content-length", str(octets).encode())]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    context = tls_context(load_settings(data))
    config = web_server_config(app, ssl_context_factory=lambda *_: context, host="127.0.0.1", port=port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
