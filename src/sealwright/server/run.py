"""Serve: https for devices, http for status, a Unix socket for the operator, all in one event loop."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog
import uvicorn
import uvloop

from sealwright.errors import ConfigurationError, SealedError, SealwrightError
from sealwright.keystore.pool import PooledKeystore
from sealwright.server.app import local_app, public_app
from sealwright.server.door import Door
from sealwright.server.event_log import configure_logging
from sealwright.server.seal_routes import SealController, ShareController
from sealwright.server.sealed_app import sealed_app
from sealwright.server.sealing import SealService
from sealwright.server.settings import Settings, split_listen
from sealwright.server.status_app import StatusApp
from sealwright.server.trunk import worker_threads
from sealwright.server.wiring import Services, build

LOG = structlog.get_logger("sealwright.server")
GRACE_SECONDS = 10
MAX_CONNECTIONS = 2048
FOLLOW_SECONDS = 0.1


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: three servers share one process, `_serve` stops them together."""
        yield


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; sealed, if people are needed to open the seal.

    Raises:
        ConfigurationError: If an address cannot be listened on, or the TLS certificate cannot be used.
        SealedError: If the seal cannot be opened, and nobody is needed for it.
    """
    configure_logging(settings.log)
    os.umask(0o077)
    keystore = PooledKeystore(settings.seal_options, settings.seal.workers)
    try:
        status = keystore.seal_status()
        if status.kind == "key-file" and status.state == "sealed":
            raise SealedError(status.problem)
        house = _House(settings, keystore)
        if status.state == "open":
            house.build()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, house))
    finally:
        keystore.close()


class _House:
    """The applications behind the three doors: those of a sealed server, or all of them.

    Args:
        settings: Of the data folder.
        keystore: Open or sealed.
    """

    def __init__(self, settings: Settings, keystore: PooledKeystore) -> None:
        self._settings, self._keystore = settings, keystore
        self._services: Services | None = None
        service = SealService(keystore)
        self._sealed = (
            sealed_app(service, ShareController),
            sealed_app(service),
            sealed_app(service, SealController),
        )
        self.doors = tuple(Door(inside) for inside in self._sealed)

    @property
    def is_built(self) -> bool:
        """Whether all services are there."""
        return self._services is not None

    def build(self) -> None:
        """Make all services of an open server.

        Raises:
            SealwrightError: If one cannot be made.
        """
        self._services = build(self._settings, keystore=self._keystore)

    async def open(self) -> None:
        """Let everybody in."""
        if self._services is None:
            await asyncio.to_thread(self.build)
        services = self._services
        assert services is not None
        await asyncio.to_thread(services.start)
        await self._exchange((public_app(services), StatusApp(services.authority), local_app(services)))

    async def close(self) -> None:
        """Let nobody in but those who open the seal; end what runs by itself."""
        self.end_waits()
        await self._exchange(self._sealed)
        services, self._services = self._services, None
        if services is not None:
            await asyncio.to_thread(services.stop)
            services.storage.close()

    def end_waits(self) -> None:
        """Answer the devices that wait for news."""
        if self._services is not None:
            self._services.feed_watch.close()

    async def follow_seal(self) -> None:
        """Open and close with the seal, for ever; a server that cannot be built is tried again when the seal is opened anew."""
        was_open = self._services is not None
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            try:
                is_open = await asyncio.to_thread(self._keystore.is_open)
                if is_open == was_open:
                    continue
                was_open = is_open
                await (self.open() if is_open else self.close())
                LOG.info("seal.state.changed", state="open" if is_open else "sealed")
            except Exception:  # the doors follow the seal whatever happens
                LOG.exception("seal.follow.failed")
                with contextlib.suppress(SealwrightError):
                    await asyncio.to_thread(self._keystore.seal)

    async def _exchange(self, inside: tuple[Any, ...]) -> None:
        await asyncio.gather(
            *(door.exchange(each, GRACE_SECONDS) for door, each in zip(self.doors, inside, strict=True))
        )


async def _serve(settings: Settings, house: _House) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(worker_threads(), thread_name_prefix="request"))
    sockets = [
        _tcp_socket(settings.server.listen, "[server] listen"),
        _tcp_socket(settings.server.status_listen, "[server] status_listen"),
        _operator_socket(settings.operator_socket),
    ]
    context = tls_context(settings)
    public, status, local = house.doors
    servers = [
        _Server(web_server_config(public, ssl_context_factory=lambda *_: context)),
        _Server(web_server_config(status)),
        _Server(web_server_config(local)),
    ]

    def stop() -> None:
        house.end_waits()
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if house.is_built:
        await house.open()
    following = loop.create_task(house.follow_seal())
    try:
        LOG.info("server.start.done", https=settings.server.listen, status=settings.server.status_listen)
        await asyncio.gather(
            *(_until_end(server, opened, stop) for server, opened in zip(servers, sockets, strict=True))
        )
    finally:
        following.cancel()
        await house.close()
        settings.operator_socket.unlink(missing_ok=True)
        LOG.info("server.stop.done")


async def _until_end(server: _Server, opened: socket.socket, stop: Any) -> None:
    try:
        await server.serve(sockets=[opened])
    finally:
        stop()


def serve_app(app: Any, listen: str, certificate: Path | None, key: Path | None) -> None:
    """Serve one small application alone until SIGTERM or SIGINT.

    Args:
        app: ASGI; it is sent no lifespan.
        listen: "host:port".
        certificate: PEM chain for https, or None.
        key: PEM private key of the chain, or None.

    Raises:
        ConfigurationError: If the address cannot be listened on, or certificate and key do not belong together.
    """
    try:
        config = web_server_config(Door(app), ssl_certfile=certificate, ssl_keyfile=key)
        config.load()
    except (OSError, ssl.SSLError, ValueError) as error:
        raise ConfigurationError(f"the TLS certificate {certificate} cannot be used: {error}") from error
    uvicorn.Server(config).run(sockets=[_tcp_socket(listen, "--listen")])


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Return the context of the https service: TLS 1.3 only.

    Raises:
        ConfigurationError: If certificate and key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the TLS certificate {settings.tls_certificate} cannot be used: {error}") from error
    return context


def web_server_config(app: Any, **options: Any) -> uvicorn.Config:
    """Return what all web servers of this process have in common, around an ASGI application."""
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_SECONDS,
        **options,
    )


def _tcp_socket(listen: str, name: str) -> socket.socket:
    host, port = split_listen(listen, name)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        raise ConfigurationError(f"{name}: {listen} cannot be listened on: {error.strerror}") from error
    return opened


def _operator_socket(path: Path) -> socket.socket:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        if path.exists() and probe.connect_ex(str(path)) == 0:
            raise ConfigurationError(f"another server runs on this data folder: {path} answers")
    path.unlink(missing_ok=True)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        opened.bind(str(path))
    except OSError as error:
        opened.close()
        raise ConfigurationError(f"{path} cannot be listened on: {error.strerror or error}") from error
    path.chmod(0o600)
    return opened
