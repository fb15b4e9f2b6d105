"""The client library of each device."""
