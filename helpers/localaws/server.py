"""The server process: moto's HTTP front with the local AWS behind it.

Only ever on the loopback interface: whoever can reach this port can run code as the user
who started it.
"""

from __future__ import annotations

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

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from helpers.localaws import functions, invocations, sqs
from helpers.localaws.executor import Executor
from helpers.localaws.settings import STATUS_PATH

HOST = "127.0.0.1"

IDLE_CHECK_S = 0.5


class RequestHandler(MotoRequestHandler):
    """Keeps connections open and sends each answer at once."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def log_request(self, *_args: Any) -> None:
        pass  # one line for each call would bury what matters


class Application:
    """moto's application, and a status page: GET tells who this is, DELETE ends the server."""

    def __init__(self, about: dict[str, Any]) -> None:
        self.last_request = time.monotonic()
        self._about = about
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == STATUS_PATH:
            if environ["REQUEST_METHOD"] == "DELETE":
                self.last_request = float("-inf")
            body = json.dumps(self._about).encode()
            headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
            start_response("200 OK", headers)
            return [body]
        self.last_request = time.monotonic()
        return self._moto(environ, start_response)


def serve(
    port: int, folder: Path, about: dict[str, Any], idle_s: float, ready: Callable[[str], None]
) -> None:
    """Serve until stopped, interrupted or idle for `idle_s` seconds.

    `folder` is for packages and environments, and is removed before and after. `about` is
    what the status page says. `port` 0 takes any free one. `ready` is called with the
    endpoint URL when calls are answered. Exits with a sentence when the port is taken.
    """
    shutil.rmtree(folder, ignore_errors=True)
    application = Application(about)
    server = make_server(HOST, port, application, threaded=True, request_handler=RequestHandler)
    endpoint_url = f"http://{HOST}:{server.server_port}"
    executor = Executor(
        folder, endpoint_url, invocations.role_credentials, invocations.may_write_logs
    )
    sqs.install()
    functions.install(executor)
    threading.Thread(target=stop_when_idle, args=[server, application, idle_s], daemon=True).start()
    ready(endpoint_url)
    try:
        server.serve_forever()
    finally:
        executor.stop()
        shutil.rmtree(folder, ignore_errors=True)


def stop_when_idle(server: BaseWSGIServer, application: Application, idle_s: float) -> None:
    while time.monotonic() - application.last_request < idle_s:
        time.sleep(min(IDLE_CHECK_S, idle_s))
    server.shutdown()
