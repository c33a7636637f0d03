"""Invoke, and what follows of an asynchronous one: retries, destinations, dead letters."""
