"""The executor: finds, starts and retires execution environments.

An environment is started when an invocation finds no idle one (a cold start), and thrown
away when its function changes or when it has been idle for long.
"""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from helpers.localaws.runtime.alarms import Alarms
from helpers.localaws.runtime.environment import Environment
from helpers.localaws.runtime.model import FunctionVersion, Invocation, Result
from helpers.localaws.runtime.packages import Packages, remove_tree
from helpers.localaws.runtime.worker_process import kill_strays
from helpers.localaws.settings import MOST_AT_ONCE

IDLE_LIMIT_S = 600.0
SWEEP_EVERY_S = 30.0
WATCH_EVERY_S = 0.1
END_LIMIT_S = 5.0  # for invocations to end when their workers are killed


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
    `forget_credentials(variables)` is called once for all credentials that were given, when
    their environment has ended.
    """

    def __init__(
        self,
        folder: Path,
        endpoint_url: str,
        role_credentials: Callable[[FunctionVersion], dict[str, str]],
        may_write_logs: Callable[[FunctionVersion], bool],
        forget_credentials: Callable[[dict[str, str]], None] = lambda variables: None,
    ) -> None:
        self._folder = folder
        self._endpoint_url = endpoint_url
        self._role_credentials = role_credentials
        self._may_write_logs = may_write_logs
        self._forget_credentials = forget_credentials
        self._alarms = Alarms()
        self._packages = Packages(folder / "packages")
        kill_strays([folder / "environments"])  # a server that was killed left them
        self._lock = threading.Lock()
        self._idle: defaultdict[str, list[Environment]] = defaultdict(list)
        self._revisions: dict[str, str] = {}
        self._running: Counter[str] = Counter()
        self._environments: set[Environment] = set()  # that have not ended
        self._numbers = itertools.count(1)
        self._stopped = False
        self._alarms.set(SWEEP_EVERY_S, self._sweep)
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def invoke(
        self,
        invocation: Invocation,
        reserved: int | None = None,
        begun: Callable[[int, int], None] = lambda of_function, of_all: None,
    ) -> Result:
        """Invoke a function and wait for its answer.

        `reserved` is the function's reserved concurrency. `begun` is told how many invocations
        of the function, and of all, run then, this one too. Raises Throttled when the reserved, or
        the account's concurrency, is used up. Whatever else is raised, from a package that
        cannot be unpacked to a fault of ours: the environment is thrown away, for its worker
        may still hold an answer that belongs to nobody else.
        """
        environment = self._lease(invocation.function, reserved, begun)
        try:
            result = environment.invoke(invocation)
        except BaseException:
            self._release(environment, reusable=False)
            raise
        self._release(environment, reusable=True)
        return result

    def _lease(
        self, function: FunctionVersion, reserved: int | None, begun: Callable[[int, int], None]
    ) -> Environment:
        with self._lock:
            if self._stopped:
                raise Stopped
            if reserved is not None and self._running[function.unqualified_arn] >= reserved:
                raise Throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
            if self._running.total() >= MOST_AT_ONCE:
                raise Throttled("ConcurrentInvocationLimitExceeded")
            self._running[function.unqualified_arn] += 1
            running = self._running[function.unqualified_arn], self._running.total()
            retired = self._use_revision(function)
            idle = self._idle[function.arn]
            environment = idle.pop() if idle else None
        try:
            begun(*running)
            self._end(retired)
            return environment or self._new_environment(function)
        except BaseException:
            with self._lock:
                self._running[function.unqualified_arn] -= 1
            raise

    def _use_revision(self, function: FunctionVersion) -> list[Environment]:
        """The idle environments that run an older revision of the function."""
        if self._revisions.get(function.arn) == function.revision:
            return []
        self._revisions[function.arn] = function.revision
        return self._idle.pop(function.arn, [])

    def _new_environment(self, function: FunctionVersion) -> Environment:
        folder = self._folder / "environments" / str(next(self._numbers))
        with ExitStack() as undo:
            package = self._packages.borrow(
                function.arn, function.revision, function.package, function.layers
            )
            undo.callback(self._packages.give_back, package)
            credentials = self._role_credentials(function)
            undo.callback(self._forget_credentials, credentials)
            undo.callback(remove_tree, folder)
            environment = Environment(
                function,
                package,
                folder,
                credentials,
                self._endpoint_url,
                lambda: self._may_write_logs(function),
                self._alarms,
            )
            undo.pop_all()
        with self._lock:
            self._environments.add(environment)
            stopped = self._stopped
        if stopped:
            environment.kill()
        return environment

    def _end(self, environments: list[Environment]) -> None:
        """End environments that nobody uses, and give back what they had.

        A step that fails is told to the server's log and keeps no other from being taken.
        """
        with self._lock:
            ended = [each for each in environments if each in self._environments]
            self._environments.difference_update(ended)
        if not ended:
            return
        try:
            with ExitStack() as steps:  # it takes the last one first
                for environment in ended:
                    steps.callback(self._forget_credentials, environment.credentials)
                    steps.callback(self._packages.give_back, environment.package)
                    steps.callback(environment.remove)
                steps.callback(kill_strays, [environment.folder for environment in ended])
                for environment in ended:
                    steps.callback(environment.kill)
        except Exception:  # noqa: BLE001 (whoever ended them goes on)
            traceback.print_exc()

    def _release(self, environment: Environment, reusable: bool) -> None:
        function = environment.function
        environment.idle_since = time.monotonic()
        with self._lock:
            self._running[function.unqualified_arn] -= 1
            current = self._revisions.get(function.arn) == function.revision
            if reusable and current and not self._stopped:
                self._idle[function.arn].append(environment)
                return
        self._end([environment])

    def retire(self, unqualified_arn: str) -> None:
        """Throw away the environments of a function that changed or was deleted."""
        with self._lock:
            arns = [arn for arn in self._revisions if arn == unqualified_arn
                    or arn.startswith(unqualified_arn + ":")]  # fmt: skip
            for arn in arns:
                del self._revisions[arn]
            retired = [env for arn in arns for env in self._idle.pop(arn, [])]
        self._end(retired)

    def stop(self) -> None:
        """End all workers, busy ones too, and wait until nobody uses their folders."""
        with self._lock:
            self._stopped = True
            environments = list(self._environments)
            self._idle.clear()
        for environment in environments:
            environment.kill()
        deadline = time.monotonic() + END_LIMIT_S
        while self._is_running() and time.monotonic() < deadline:
            time.sleep(0.01)
        self._end(environments)
        self._packages.remove_all()

    def _is_running(self) -> bool:
        with self._lock:
            return self._running.total() > 0

    def _sweep(self) -> None:
        """Throw away environments that have been idle for long."""
        oldest = time.monotonic() - IDLE_LIMIT_S
        with self._lock:
            tired = [e for idle in self._idle.values() for e in idle if e.idle_since < oldest]
            for environment in tired:
                self._idle[environment.function.arn].remove(environment)
        self._end(tired)
        if not self._stopped:
            self._alarms.set(SWEEP_EVERY_S, self._sweep)

    def _watch(self) -> None:
        """Look from time to time whether a handler uses more than its memory or much disk."""
        while not self._stopped:
            time.sleep(WATCH_EVERY_S)
            with self._lock:
                environments = list(self._environments)
            for environment in environments:
                try:
                    environment.check_limits()
                except Exception:  # noqa: BLE001 (the others are to be watched on)
                    traceback.print_exc()
