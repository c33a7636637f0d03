"""Clients that nobody here wrote, on a local AWS: `make foreign`. CI runs it at night."""
