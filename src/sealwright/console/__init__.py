"""The administrators' web pages over all roles that run in this process; no SQL, no cryptography."""
