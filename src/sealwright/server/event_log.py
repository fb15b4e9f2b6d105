"""The server's own events, structured, on standard error. Never a key, a password, a token or plaintext."""

import logging
import sys

import structlog

from sealwright.server.settings import LogSection


def configure_logging(section: LogSection) -> None:
    """Set up structured logging for this process and send the libraries' warnings the same way."""
    level = getattr(logging, section.level.upper())
    renderer = structlog.processors.JSONRenderer() if section.json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(level, logging.WARNING), stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
