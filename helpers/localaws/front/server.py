"""The server process: moto's HTTP front with the local AWS behind it.

Only ever on the loopback interface, and only for who has its access key: whoever can call it
can run code as the user who started it.
"""

from __future__ import annotations

import gc
import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

from helpers.localaws.settings import MOTO, STATUS_PATH

os.environ.update(MOTO)  # before moto is imported

from flask import Flask
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from helpers.localaws.common.moto_patches import remember_hosts, remember_look_ups, write_as_aws
from helpers.localaws.front import malformed
from helpers.localaws.front.access import Access, Caller, refuse_page
from helpers.localaws.front.connections import MAX_HEADER_BYTES, REFUSED_UNREAD, PatientServer
from helpers.localaws.front.protocols import BODY, Answer, make_answer, plain_answer, read_body
from helpers.localaws.permissions import iam, sts
from helpers.localaws.runtime.packages import remove_tree

StartResponse: TypeAlias = Callable[..., Any]

HOST = "127.0.0.1"
THREADS = 200  # each long poll and each running Invoke holds one
BACKLOG = 128
# The usual 8 MB for each thread would be more than a class lets a learner have, used or not.
STACK_BYTES = 4 * 1024**2
IDLE_CHECK_S = 0.5
# Pages that are no part of AWS: moto's own, and the metadata of an EC2 instance.
OWN_PAGES = ("/moto-api", "/favicon.ico", "/latest/meta-data/", "/latest/api/", STATUS_PATH)
CLOSED = (
    "This page of the local AWS is for its owner: send the header 'Authorization: Bearer' with "
    "the secret access key."
)


class Application:
    """moto's application behind the access check, and a status page.

    GET of the status page tells who this is, DELETE ends the server.

    moto makes the application of a service when it is first asked for. Our own services are
    put in place then too: importing them takes a quarter of the time until the first answer.
    """

    def __init__(self, about: dict[str, Any], folder: Path, access: Access) -> None:
        self.endpoint_url = ""
        self.last_request = time.monotonic()
        self.told_to_end = threading.Event()
        self._about = about
        self._folder = folder
        self._access = access
        self._services: Any = None
        self._starting = threading.Lock()
        self._moto = DomainDispatcherApplication(self._make)
        remember_hosts(self._moto)

    def _make(self, service: str) -> Flask:
        if service != "sts":
            self._start_services()
            self._services.prepare(service)
        return create_backend_app(service)

    def _start_services(self) -> None:
        if self._services is not None:
            return
        with self._starting:
            if self._services is None:
                from helpers.localaws.front.services import Services

                self._services = Services(self._folder, self.endpoint_url, self._access)
                gc.freeze()  # what was imported stays: it need not be looked through again

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        answer = refuse_page(environ)
        if answer is None and environ.get("PATH_INFO", "").startswith(OWN_PAGES):
            return self._own_page(environ, start_response)
        try:
            caller = answer or malformed.refuse_length(environ) or self._access.identify(environ)
        except Exception as error:  # noqa: BLE001 (one of ours; it must not be an empty answer)
            caller = malformed.explain(environ, Caller("", ""), error)
        if isinstance(caller, Answer):
            return reply(caller, environ, start_response)
        self.last_request = time.monotonic()
        return self._call(caller, environ, start_response)

    def _call(
        self, caller: Caller, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        """A call of an AWS API by somebody who may call."""
        read_body(environ)  # moto would leave nothing of it to look at afterwards
        try:
            answer = self._answer(caller, environ)
            if answer.status[:3] in malformed.SUSPICIOUS:
                answer = malformed.correct(environ, caller, answer.body) or answer
        except Exception as error:  # noqa: BLE001 (an error that must not be an empty answer)
            answer = malformed.explain(environ, caller, error)
        return reply(answer, environ, start_response)

    def _answer(self, caller: Caller, environ: dict[str, Any]) -> Answer:
        """The refusal of a call, or what its service answers: some of ours, else moto's."""
        if caller.service != "sts":
            self._start_services()
        return (
            malformed.refuse_form(environ, caller)
            or (self._services and self._services.refuse(environ, caller))
            or (self._services and self._services.answer(environ, caller))
            or self._answer_of_moto(environ)
        )

    def _answer_of_moto(self, environ: dict[str, Any]) -> Answer:
        held: list[Any] = []
        body = self._moto(environ, lambda *given: held.extend(given))
        status, headers = held[:2]
        return Answer(status, headers, b"".join(body))

    def _own_page(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if not self._access.holds_key(environ):
            return reply(plain_answer(403, CLOSED), environ, start_response)
        if environ["PATH_INFO"] == STATUS_PATH:
            return reply(self._status(environ), environ, start_response)
        return self._moto(environ, start_response)

    def _status(self, environ: dict[str, Any]) -> Answer:
        if environ["REQUEST_METHOD"] == "DELETE":
            self.told_to_end.set()
        return make_answer(200, {"Content-Type": "application/json"}, json.dumps(self._about))

    def stop(self) -> None:
        """End all workers, and let the calls return that wait for a message."""
        if self._services is not None:
            self._services.stop()


def reply(
    answer: Answer, environ: dict[str, Any], start_response: StartResponse
) -> Iterable[bytes]:
    """Send an answer of our own. A body that was not read for it is read away."""
    if BODY not in environ and environ.get("CONTENT_LENGTH", "0") != "0":
        environ[REFUSED_UNREAD] = True
    start_response(answer.status, answer.headers)
    return [answer.body]


def serve(
    port: int,
    folder: Path,
    about: dict[str, Any],
    access: Access,
    idle_s: float,
    ready: Callable[[str], None],
    make: Callable[..., Application] = Application,
) -> None:
    """Serve until stopped, interrupted or idle for `idle_s` seconds.

    `folder` is for packages and environments, and is removed before and after. `about` is
    what the status page says. `port` 0 takes any free one. `ready` is called with the
    endpoint URL when calls are answered. `make` makes the application. Raises ValueError when
    the port is taken, and OSError when the folder cannot be made.
    """
    threading.stack_size(STACK_BYTES)
    remember_look_ups()
    write_as_aws()
    sts.install()
    iam.install()  # STS asks IAM, so it has to be there first
    application = make(about, folder, access)
    server = listen(port, application)
    remove_tree(folder)
    folder.mkdir(mode=0o700, parents=True)
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
        remove_tree(folder)


def listen(port: int, application: Application) -> PatientServer:
    """A server that accepts connections; they are answered when it serves."""
    server = PatientServer(
        (HOST, port), application, numthreads=THREADS, request_queue_size=BACKLOG
    )
    server.max_request_header_size = MAX_HEADER_BYTES
    try:
        server.prepare()
    except OSError as error:
        raise ValueError(f"Port {port} cannot be used: {error}. Choose another one.") from error
    return server


def at_the_end(application: Application, idle_s: float, shut_down: Callable[[], None]) -> None:
    """Shut down when told so, or when the last request is `idle_s` seconds ago."""
    while time.monotonic() - application.last_request < idle_s:
        if application.told_to_end.wait(min(IDLE_CHECK_S, idle_s)):
            break
    shut_down()
