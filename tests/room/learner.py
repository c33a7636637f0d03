"""A learner of a class who is a program: comes in, opens notebooks, runs their cells."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import nbformat
from websocket import create_connection

PATIENCE_S = 600


class Learner:
    """Someone in a class at `address`. `key` comes from the hub, as a page's own requests do."""

    def __init__(self, address: str, chosen: str, password: str = "pizza4all") -> None:
        self.address, self.chosen, self.password = address.rstrip("/"), chosen, password
        self.name = f"sqs-{chosen.lower()}"
        self.web = httpx.Client(base_url=self.address, follow_redirects=True, timeout=PATIENCE_S)

    def log_in(self) -> int:
        """Log in; the HTTP status of the page that comes then."""
        self.web.get("/hub/login")
        form = {"username": self.chosen, "password": self.password, "_xsrf": self.xsrf("/hub/")}
        return self.web.post("/hub/login?next=/hub/home", data=form).status_code

    def xsrf(self, path: str) -> str:
        found = [each for each in self.web.cookies.jar if each.name == "_xsrf"]
        return next((str(each.value) for each in found if each.path == path), "")

    def headers(self, path: str) -> dict[str, str]:
        return {"X-XSRFToken": self.xsrf(path), "Referer": f"{self.address}{path}home"}

    def start(self) -> None:
        """Start the own server and wait until it answers. Raises TimeoutError and RuntimeError."""
        self.web.get(f"/hub/spawn/{self.name}", params={"_xsrf": self.xsrf("/hub/")})
        self.web.post(f"/hub/api/users/{self.name}/server", headers=self.headers("/hub/"))
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self.becomes_ready():
                self.web.get(f"/user/{self.name}/lab")
                return
            time.sleep(1)
        raise TimeoutError(f"{self.name}'s server is not ready after {PATIENCE_S} s")

    def becomes_ready(self) -> bool:
        """Follow the start of the own server as the hub's page does, to its end; True if it runs.

        False when it has not begun yet. Source: JupyterHub's REST API, "server/progress".
        """
        path = f"/hub/api/users/{self.name}/server/progress"
        with self.web.stream("GET", path, headers=self.headers("/hub/")) as answer:
            lines = answer.iter_lines() if answer.status_code == 200 else ()
            events = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
        if any(each.get("failed") for each in events):
            raise RuntimeError(f"{self.name}'s server did not start: {events[-1]['message']}")
        return any(each.get("ready") for each in events)

    def stop(self) -> None:
        self.web.delete(f"/hub/api/users/{self.name}/server", headers=self.headers("/hub/"))

    def contents(self, path: str, of: str | None = None) -> httpx.Response:
        """A file of one's own server, or, if it lets one, of somebody else's."""
        return self.web.get(f"/user/{of or self.name}/api/contents/{path}")

    def open(self, notebook: str) -> Kernel:
        """A kernel for a notebook of one's own copies, as JupyterLab's sessions make them."""
        path = f"my_course/{notebook}.ipynb"
        session = self.web.post(
            f"/user/{self.name}/api/sessions",
            json={"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}},
            headers=self.headers(f"/user/{self.name}/"),
        )
        session.raise_for_status()
        return Kernel(self, session.json()["kernel"]["id"], session.json()["id"])


class Kernel:
    """A kernel that runs cells; what they print comes back as text."""

    def __init__(self, learner: Learner, kernel: str, session: str) -> None:
        self.learner, self.session = learner, session
        base = f"/user/{learner.name}/"
        cookies = "; ".join(
            f"{each.name}={each.value}"
            for each in learner.web.cookies.jar
            if base.startswith(each.path)
        )
        address = learner.address.replace("http", "ws", 1)
        self.socket = create_connection(
            f"{address}{base}api/kernels/{kernel}/channels",
            cookie=cookies,
            origin=learner.address,
            timeout=PATIENCE_S,
        )

    def run(self, code: str) -> str:
        """Run a cell; what it printed, and the error if there was one."""
        return self.execute(code)[0]

    def execute(self, code: str) -> tuple[str, bool]:
        """Run a cell; what it printed, with the error if there was one, and whether it failed."""
        number = uuid.uuid4().hex
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False,
                   "user_expressions": {}, "stop_on_error": False}  # fmt: skip
        header = {"msg_id": number, "msg_type": "execute_request", "session": number,
                  "username": "learner", "version": "5.3", "date": ""}  # fmt: skip
        self.socket.send(json.dumps({"header": header, "parent_header": {}, "metadata": {},
                                     "content": content, "channel": "shell"}))  # fmt: skip
        texts: list[str] = []
        failed = False
        while True:
            message: dict[str, Any] = json.loads(self.socket.recv())
            if message["parent_header"].get("msg_id") != number:
                continue
            kind, about = message["header"]["msg_type"], message["content"]
            if kind == "stream":
                texts.append(about["text"])
            elif kind == "error":
                failed = True
                texts.append(f"{about['ename']}: {about['evalue']}\n")
            elif kind == "status" and about["execution_state"] == "idle":
                return "".join(texts), failed

    def run_notebook(self, path: Path) -> list[str]:
        """Run all cells of a notebook; the errors that came, with the number of their cell."""
        cells = nbformat.read(path, as_version=4).cells
        wrong = []
        for number, cell in enumerate(cells):
            if cell.cell_type == "code":
                said, failed = self.execute(cell.source)
                if failed and "raises-exception" not in cell.metadata.get("tags", []):
                    wrong.append(f"{path.stem}, cell {number}: {said[-300:]}")
        return wrong

    def close(self) -> None:
        self.socket.close()
        learner = self.learner
        learner.web.delete(
            f"/user/{learner.name}/api/sessions/{self.session}",
            headers=learner.headers(f"/user/{learner.name}/"),
        )
