"""Check, before anything is installed, that this Python can make the virtual environment.

A fresh Debian has `python3` without `ensurepip`: name the missing package in one line instead of failing half-way.
"""

import importlib.util
import sys

if sys.version_info < (3, 11):
    sys.exit(f"sealwright: needs Python 3.11 or later, this is {sys.version.split()[0]}")
if importlib.util.find_spec("ensurepip") is None:
    sys.exit("sealwright: Python cannot make a virtual environment here: run 'apt-get install python3-venv'")
