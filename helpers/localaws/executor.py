"""The executor: finds, starts and retires execution environments.

An environment is started when an invocation finds no idle one (a cold start), and thrown
away when its function changes or when it has been idle for long.
"""

from __future__ import annotations

import io
import itertools
import shutil
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from helpers.localaws.alarms import Alarms
from helpers.localaws.environments import Environment, Function, Result

IDLE_LIMIT_S = 600.0
SWEEP_EVERY_S = 30.0
MEMORY_CHECK_S = 0.1
END_LIMIT_S = 5.0  # for invocations to end when their workers are killed
ACCOUNT_CONCURRENCY = 100  # of invocations at once; AWS gives new accounts as few as 10


class Throttled(Exception):
    """No concurrency is left: TooManyRequestsException with this `reason` (LS-045)."""

    def __init__(self, reason: str) -> None:
        super().__init__("Rate Exceeded.")
        self.reason = reason


class Stopped(Exception):
    """The local AWS is being stopped: nothing is invoked any more."""


class Executor:
    """Runs functions: finds, starts and retires execution environments.

    `role_credentials(function)` gives the role's temporary credentials as environment
    variables, `may_write_logs(function)` tells whether the role may write logs.
    """

    def __init__(
        self,
        folder: Path,
        endpoint_url: str,
        role_credentials: Callable[[Function], dict[str, str]],
        may_write_logs: Callable[[Function], bool],
    ) -> None:
        self._folder = folder
        self._endpoint_url = endpoint_url
        self._role_credentials = role_credentials
        self._may_write_logs = may_write_logs
        self._alarms = Alarms()
        self._lock = threading.Lock()
        self._idle: dict[str, list[Environment]] = {}
        self._revisions: dict[str, str] = {}
        self._running: Counter[str] = Counter()
        self._environments: set[Environment] = set()
        self._package_users: Counter[Path] = Counter()
        self._numbers = itertools.count(1)
        self._stopped = False
        self._alarms.set(SWEEP_EVERY_S, self._sweep)
        threading.Thread(target=self._watch_memory, name="memory", daemon=True).start()

    def invoke(
        self,
        function: Function,
        event: bytes,
        request_id: str,
        invoked_arn: str | None = None,
        headers: dict | None = None,
        reserved: int | None = None,
    ) -> Result:
        """Invoke a function and wait for its answer.

        `reserved` is the function's reserved concurrency. Raises Throttled when that, or
        the account's concurrency, is used up.
        """
        environment = self._lease(function, reserved)
        try:
            return environment.invoke(event, request_id, invoked_arn or function.arn, headers or {})
        finally:
            self._release(environment)

    def _lease(self, function: Function, reserved: int | None) -> Environment:
        with self._lock:
            if self._stopped:
                raise Stopped
            if reserved is not None and self._running[function.unqualified_arn] >= reserved:
                raise Throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
            if self._running.total() >= ACCOUNT_CONCURRENCY:
                raise Throttled("ConcurrentInvocationLimitExceeded")
            self._running[function.unqualified_arn] += 1
            retired = self._use_revision(function)
            idle = self._idle.setdefault(function.arn, [])
            environment = idle.pop() if idle else None
        self._end(retired)
        if environment is not None:
            return environment
        try:
            return self._new_environment(function)
        except BaseException:
            with self._lock:
                self._running[function.unqualified_arn] -= 1
            raise

    def _use_revision(self, function: Function) -> list[Environment]:
        """The idle environments that run an older revision of the function."""
        if self._revisions.get(function.arn) == function.revision:
            return []
        self._revisions[function.arn] = function.revision
        retired = self._idle.pop(function.arn, [])
        self._environments.difference_update(retired)
        return retired

    def _new_environment(self, function: Function) -> Environment:
        number = next(self._numbers)
        environment = Environment(
            function,
            self._unpacked(function),
            self._folder / "environments" / str(number),
            self._role_credentials(function),
            self._endpoint_url,
            lambda: self._may_write_logs(function),
            self._alarms,
        )
        with self._lock:
            self._environments.add(environment)
            stopped = self._stopped
        if stopped:
            environment.kill()
        return environment

    def _unpacked(self, function: Function) -> Path:
        with self._lock:
            folder = self._folder / "packages" / f"{function.name}-{function.revision}"
            if not folder.exists():
                unpack(function.package, folder)
            self._package_users[folder] += 1
            return folder

    def _end(self, environments: list[Environment]) -> None:
        """End environments, and remove the packages that nothing can use any more."""
        for environment in environments:
            environment.stop()
            folder, revision = environment.package_folder, environment.function.revision
            with self._lock:
                self._package_users[folder] -= 1
                unused = not self._package_users[folder]
                if unused and revision not in self._revisions.values():
                    del self._package_users[folder]
                    shutil.rmtree(folder, ignore_errors=True)

    def _release(self, environment: Environment) -> None:
        function = environment.function
        environment.idle_since = time.monotonic()
        with self._lock:
            self._running[function.unqualified_arn] -= 1
            current = self._revisions.get(function.arn) == function.revision
            if current and not self._stopped:
                self._idle[function.arn].append(environment)
                return
            self._environments.discard(environment)
        self._end([environment])

    def retire(self, unqualified_arn: str) -> None:
        """Throw away the environments of a function that changed or was deleted."""
        with self._lock:
            arns = [arn for arn in self._revisions if arn == unqualified_arn
                    or arn.startswith(unqualified_arn + ":")]  # fmt: skip
            for arn in arns:
                del self._revisions[arn]
            retired = [env for arn in arns for env in self._idle.pop(arn, [])]
            self._environments.difference_update(retired)
        self._end(retired)

    def stop(self) -> None:
        """End all workers, busy ones too, and wait until nobody uses their folders."""
        with self._lock:
            self._stopped = True
            environments, self._environments = self._environments, set()
            self._idle.clear()
        for environment in environments:
            environment.kill()
        deadline = time.monotonic() + END_LIMIT_S
        while self._running.total() and time.monotonic() < deadline:
            time.sleep(0.01)
        for environment in environments:
            environment.stop()

    def _sweep(self) -> None:
        """Throw away environments that have been idle for long."""
        oldest = time.monotonic() - IDLE_LIMIT_S
        with self._lock:
            tired = [e for idle in self._idle.values() for e in idle if e.idle_since < oldest]
            for environment in tired:
                self._idle[environment.function.arn].remove(environment)
            self._environments.difference_update(tired)
        self._end(tired)
        self._alarms.set(SWEEP_EVERY_S, self._sweep)

    def _watch_memory(self) -> None:
        """Look from time to time whether a running handler uses more than its memory."""
        while not self._stopped:
            time.sleep(MEMORY_CHECK_S)
            with self._lock:
                busy = [each for each in self._environments if each.busy]
            for environment in busy:
                environment.check_memory()


def unpack(package: bytes, folder: Path) -> None:
    """Unpack a deployment package. `ZipFile` keeps every path inside the folder."""
    partial = folder.with_name(folder.name + ".partial")
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        archive.extractall(partial)
    partial.mkdir(parents=True, exist_ok=True)
    partial.rename(folder)
