"""Flows that are killed at every durable write, and started again."""
