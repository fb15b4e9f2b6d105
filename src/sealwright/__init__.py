"""Sealwright: S/MIME that is switched on by itself."""

__version__ = "0.1.0"
