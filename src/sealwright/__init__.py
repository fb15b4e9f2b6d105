"""Sealwright: S/MIME that is switched on by itself."""

import warnings

__version__ = "0.1.0"

# RFC 5280 section 4.1.2.2 wants serial numbers that are not positive handled gracefully. `cryptography` reads them and warns
# on standard error, which whoever sends a mail could fill; here, because every process of ours loads foreign certificates.
warnings.filterwarnings("ignore", message="Parsed a serial number")
