"""Persistence for the server: engine, unit of work, column types. Tables belong to the rooms that own them."""
