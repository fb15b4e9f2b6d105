"""The two Litestar applications: for devices over https, for the operator over the Unix socket."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
import structlog
from litestar import Litestar, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.types import ASGIApp, ControllerRouterHandler, Guard, Receive, Send

import sealwright
from sealwright.console.custody import CustodyService
from sealwright.console.http import Console, is_console_path, missing
from sealwright.console.routes import STATIC, console_router
from sealwright.console.service import ConsoleService
from sealwright.directory.fronts.http import LOOKUP_PATH, DirectoryController, LookupFront, LookupQuota
from sealwright.errors import AuthenticationError, SealwrightError
from sealwright.identity.access_routes import access_router
from sealwright.identity.approval_routes import approval_router
from sealwright.identity.http import NONCE_HEADER
from sealwright.identity.permissions import ANYONE, HOST, check_permission, permission_of
from sealwright.identity.routes import identity_router
from sealwright.kms.recovery_routes import recovery_router
from sealwright.kms.routes import exit_router, kms_router
from sealwright.server import (
    certificate_routes,
    custody_routes,
    health,
    log_routes,
    metrics,
    operator_routes,
    seal_routes,
    shared_routes,
)
from sealwright.server.problem_answers import problem_answer
from sealwright.server.state import read_state
from sealwright.server.wiring import Services
from sealwright.webui.render import Pages
from sealwright.wire.problems import error_from, problem_for
from sealwright.wire.statement import SignedStatement

AnyConnection = ASGIConnection[Any, Any, Any, Any]
LOG = structlog.get_logger("sealwright.http")
SCHEMA_PATH = "/schema"
MAX_DEVICE_BODY = 1024 * 1024


@get("/.well-known/sealwright", sync_to_thread=True)
def domain_statement(services: NamedDependency[Services]) -> SignedStatement:
    """Return the organization's domain statement."""
    return services.statements.current()


def public_app(services: Services) -> metrics.Counting:
    """Return the application for devices."""
    quota, console = LookupQuota(), _console(services)
    handlers: list[ControllerRouterHandler] = [
        domain_statement,
        identity_router,
        approval_router,
        access_router,
        kms_router,
        exit_router,
        recovery_router,
        certificate_routes.issue_signing_certificate,
        shared_routes.list_shared,
        log_routes.chain,
        log_routes.open_leaves,
        log_routes.report,
        log_routes.consistency,
        log_routes.cosigned,
        log_routes.breaks,
        log_routes.checkpoint,
        log_routes.tile,
        seal_routes.ShareController,
        seal_routes.close_seal,
        DirectoryController,
        health.healthz,
        health.readyz,
        console_router(console),
    ]
    dependencies = {"directory": services.directory, "lookup_quota": quota}
    app = _application(
        services, handlers, dependencies, MAX_DEVICE_BODY, "Sealwright for devices", is_declared, console=console
    )
    return metrics.Counting(_Beside(app, {LOOKUP_PATH: cast(ASGIApp, LookupFront(services.directory, quota))}))


class _Beside:
    """An ASGI application with plain ones beside the framework, for paths that are asked most."""

    def __init__(self, app: ASGIApp, plain: Mapping[str, ASGIApp]) -> None:
        self._app, self._plain = app, plain

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass on by path."""
        app = self._plain.get(scope["path"], self._app) if scope["type"] == "http" else self._app
        await app(scope, receive, send)


def _console(services: Services) -> Console:
    service = ConsoleService(
        services.organization_id,
        people=services.people,
        mailboxes=services.mailboxes,
        shared=services.shared,
        keys=services.keys,
        authority=services.authority,
        audit=services.audit,
        read_state=lambda: read_state(services),
    )
    custody = CustodyService(
        services.organization_id,
        access=services.access,
        approvals=services.approvals,
        policies=services.policies,
        keys=services.keys,
        mailboxes=services.mailboxes,
        roles=services.roles,
        recoveries=services.recoveries,
        recovery_rules=services.recovery_rules,
        read_seal=services.seal.status,
    )
    return Console(
        organization_id=services.organization_id,
        organization_name=services.settings.organization.name,
        service=service,
        custody=custody,
        mailboxes=services.mailboxes,
        devices=services.devices,
        access=services.access,
        administrators=services.administrators,
        passkeys=services.passkeys,
        pages=Pages(STATIC),
        clock=services.clock,
        origins=tuple(url.removesuffix(":443") for url in services.settings.server.endpoints),
    )


def local_app(services: Services) -> Litestar:
    """Return the application for the operator."""
    handlers: list[ControllerRouterHandler] = [
        operator_routes.OperatorController,
        custody_routes.CustodyController,
        seal_routes.SealController,
        log_routes.describe,
        log_routes.open_leaves_for_host,
        log_routes.report_for_host,
        log_routes.reset_time,
        log_routes.break_log,
        log_routes.checkpoint,
        log_routes.tile,
        health.healthz,
        health.readyz,
        metrics.metrics,
    ]
    return _application(
        services, handlers, {}, operator_routes.MAX_OPERATOR_BODY, "Sealwright for operators", is_for_host
    )


def is_declared(connection: AnyConnection, _: BaseRouteHandler) -> None:
    """Let nothing through that is not in the table of routes; who asks is found out by the routes themselves.

    Raises:
        PermissionDeniedError: If the route is not declared.
    """
    _permission(connection)


def is_for_host(connection: AnyConnection, _: BaseRouteHandler) -> None:
    """Let through what whoever may open the Unix socket may do.

    Raises:
        PermissionDeniedError: If the route is not declared, or not for the host.
    """
    permission = _permission(connection)
    if permission:
        check_permission(permission, (ANYONE, HOST))


def _permission(connection: AnyConnection) -> str:
    template, method = connection.scope["path_template"], str(connection.scope.get("method", ""))
    if method == "OPTIONS" or template == SCHEMA_PATH or template.startswith(f"{SCHEMA_PATH}/"):
        return ""  # what the framework answers by itself: permitted methods, and the description of the interface
    return permission_of(method, template)


def _application(
    services: Services,
    handlers: Sequence[ControllerRouterHandler],
    dependencies: dict[str, object],
    max_body: int,
    title: str,
    guard: Guard,
    *,
    console: Console | None = None,
) -> Litestar:
    provided: dict[str, object] = {
        "services": services,
        "token_service": services.tokens,
        "device_service": services.devices,
        "feed_watch": services.feed_watch,
        "access_service": services.access,
        "enrolment_service": services.enrolments,
        "approval_service": services.approvals,
        "key_service": services.keys,
        "exit_service": services.exits,
        "recovery_service": services.recoveries,
        "seal_service": services.seal,
        **dependencies,
    }
    return Litestar(
        route_handlers=handlers,
        guards=[guard],
        dependencies={name: Provide(_giver(value), sync_to_thread=False) for name, value in provided.items()},
        exception_handlers={
            SealwrightError: _Problems(services).for_error,
            HTTPException: _Problems(services, console).for_http,
            Exception: _Problems(services).for_bug,
        },
        openapi_config=OpenAPIConfig(title=title, version=sealwright.__version__, path=SCHEMA_PATH),
        request_max_body_size=max_body,
        state=State({"readiness": services.readiness}),
        logging_config=None,
        signature_types=[Services],
    )


def _giver(value: object) -> Any:
    def give() -> Any:
        return value

    return give


class _Problems:
    """RFC 9457 answers."""

    def __init__(self, services: Services, console: Console | None = None) -> None:
        self._tokens, self._console = services.tokens, console

    def for_error(self, _: Request[Any, Any, Any], error: SealwrightError) -> Response[bytes]:
        """Answer an error of the tree; a failed authentication carries a fresh nonce (RFC 9449 section 8)."""
        headers = {"Cache-Control": "no-store"}
        if isinstance(error, AuthenticationError):
            headers[NONCE_HEADER] = self._tokens.nonce()
            headers["WWW-Authenticate"] = 'DPoP algs="ES256"'
        return problem_answer(problem_for(error), headers)

    def for_http(self, request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
        """Answer what the framework refused; where it says that the server is at fault, that is a bug like any other."""
        if self._console is not None and is_console_path(request.scope["path"]):
            return missing(request, self._console)
        if error.status_code >= 500:
            return self.for_bug(request, error)
        mapped = problem_for(error_from({"status": error.status_code, "detail": error.detail}))
        problem = msgspec.structs.replace(mapped, status=error.status_code)
        return problem_answer(problem, dict(error.headers or {}))

    def for_bug(self, request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        """Answer a bug; what it was is told in the event log only."""
        LOG.error("request.answer.crashed", method=request.method, route=request.scope["path"], exc_info=error)
        return problem_answer(problem_for(error), {})
