"""What boto3 hands out: names for annotations, and clients that are made once."""

from __future__ import annotations

import threading
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import boto3

# boto3 makes its classes from AWS's models when a program runs: before that, they have no name.
Client: TypeAlias = Any
Table: TypeAlias = Any

_made: WeakKeyDictionary[boto3.Session, dict[str, Client]] = WeakKeyDictionary()
_making = threading.Lock()  # a session makes one client at a time


def client_for(service: str) -> Client:
    """boto3's client of a service, such as "sqs", for its default session; made once for each.

    A client of its own for each call would connect anew each time, on AWS with TLS. Clients may
    be shared between threads. Source: boto3's guide, "Low-level clients", "Multithreading or
    multiprocessing with clients".
    """
    with _making:
        if boto3.DEFAULT_SESSION is None:
            boto3.setup_default_session()
        made = _made.setdefault(boto3.DEFAULT_SESSION, {})
        if service not in made:
            made[service] = boto3.client(service)
        return made[service]
