"""What may be said of a message, row by row; `tests/unit/smime/test_verdict_table.py` runs them all."""
