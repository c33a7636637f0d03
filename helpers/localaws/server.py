"""The server process: moto's HTTP front with the local AWS behind it.

Only ever on the loopback interface: whoever can reach this port can run code as the user
who started it.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

# moto reads these when it is imported.
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
os.environ.setdefault("MOTO_ENABLE_ISO_REGIONS", "false")

from cheroot.wsgi import Server
from flask import Flask
from moto import backends
from moto.core import responses
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from helpers.localaws import iam
from helpers.localaws.settings import STATUS_PATH

HOST = "127.0.0.1"
THREADS = 200  # each long poll and each running Invoke holds one
BACKLOG = 128
KEEP_ALIVE_S = 60
IDLE_CHECK_S = 0.5


class Application:
    """moto's application, and a status page: GET tells who this is, DELETE ends the server.

    moto makes the application of a service when it is first asked for. Our own services are
    put in place then too: importing them takes a quarter of the time until the first answer.
    """

    def __init__(self, about: dict[str, Any], folder: Path) -> None:
        self.endpoint_url = ""
        self.last_request = time.monotonic()
        self.told_to_end = threading.Event()
        self._about = about
        self._folder = folder
        self._services: Any = None
        self._moto = DomainDispatcherApplication(self._make)
        self._moto.get_backend_for_host = functools.cache(self._moto.get_backend_for_host)

    def _make(self, service: str) -> Flask:
        if service != "sts" and self._services is None:
            from helpers.localaws import services

            services.start(self._folder, self.endpoint_url)
            self._services = services
        return create_backend_app(service)

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == STATUS_PATH:
            return self._status(environ, start_response)
        self.last_request = time.monotonic()
        refused = self._services and self._services.refuse(environ)
        if refused:
            start_response(refused.status, refused.headers)
            return [refused.body]
        return self._moto(environ, start_response)

    def _status(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "DELETE":
            self.told_to_end.set()
        body = json.dumps(self._about).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response("200 OK", headers)
        return [body]

    def stop(self) -> None:
        """End all workers, and let the calls return that wait for a message."""
        if self._services is not None:
            self._services.stop()


def serve(
    port: int, folder: Path, about: dict[str, Any], idle_s: float, ready: Callable[[str], None]
) -> None:
    """Serve until stopped, interrupted or idle for `idle_s` seconds.

    `folder` is for packages and environments, and is removed before and after. `about` is
    what the status page says. `port` 0 takes any free one. `ready` is called with the
    endpoint URL when calls are answered. Raises ValueError when the port is taken.
    """
    shutil.rmtree(folder, ignore_errors=True)
    remember_what_moto_looks_up()
    iam.install()  # STS asks IAM, so it has to be there first
    application = Application(about, folder)
    server = listen(port, application)
    application.endpoint_url = f"http://{HOST}:{server.bind_addr[1]}"

    def shut_down() -> None:
        application.stop()
        server.stop()

    threading.Thread(
        target=at_the_end, args=[application, idle_s, shut_down], name="end", daemon=True
    ).start()
    ready(application.endpoint_url)
    try:
        server.serve()
    finally:
        shut_down()
        shutil.rmtree(folder, ignore_errors=True)


def listen(port: int, application: Application) -> Server:
    """A server that accepts connections; they are answered when it serves."""
    server = Server(
        (HOST, port),
        application,
        numthreads=THREADS,
        request_queue_size=BACKLOG,
        timeout=KEEP_ALIVE_S,
    )
    try:
        server.prepare()
    except OSError as error:
        raise ValueError(f"Port {port} cannot be used: {error}. Choose another one.") from error
    return server


def remember_what_moto_looks_up() -> None:
    """moto lists its own folders and methods anew for each request, more than half its time."""
    modules = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    responses.method_names_from_class = functools.cache(responses.method_names_from_class)


def at_the_end(application: Application, idle_s: float, shut_down: Callable[[], None]) -> None:
    """Shut down when told so, or when the last request is `idle_s` seconds ago."""
    while time.monotonic() - application.last_request < idle_s:
        if application.told_to_end.wait(min(IDLE_CHECK_S, idle_s)):
            break
    shut_down()
