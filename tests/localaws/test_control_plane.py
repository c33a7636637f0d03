"""Lambda's control plane from within: calls that exclude each other, packages, our own faults."""

from __future__ import annotations

import base64
import io
import json
import stat
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from moto.awslambda import models as moto_lambda
from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError
from moto.iam.models import iam_backends

from helpers import steps
from helpers.localaws.functions import backend as functions
from helpers.localaws.functions import function, storage
from helpers.localaws.functions import refusals as function_rules
from helpers.localaws.invocations.answers import Call, invoke
from helpers.localaws.runtime.executor import Stopped
from helpers.localaws.triggers import mappings
from tests.conformance.kit import REGION, unique
from tests.localaws.kit import ACCOUNT, threads_take_turns_often

AT_ONCE = 4
PACKAGE = {"ZipFile": base64.b64encode(steps.make_package("x = 1")).decode()}


@pytest.fixture
def role() -> str:
    trust = json.dumps(steps.TRUST_POLICY)
    made = iam_backends[ACCOUNT]["aws"].create_role(
        unique("role"), trust, "/", None, "", [], "3600"
    )
    return made.arn


@pytest.fixture
def retired() -> list[str]:
    """The ARNs of functions whose environments the executor was told to end."""
    return []


@pytest.fixture
def backend(monkeypatch, retired) -> Iterator[functions.Backend]:
    monkeypatch.setattr(function, "PENDING_S", 0.0)
    made = functions.Backend(REGION, ACCOUNT, SimpleNamespace(retire=retired.append))
    yield made
    made.triggers.stop()


@pytest.fixture
def create(backend, role) -> Callable[[str], Any]:
    def create(name: str) -> Any:
        return backend.create_function(
            {
                "FunctionName": name,
                "Runtime": "python3.13",
                "Handler": "lambda_function.lambda_handler",
                "Role": role,
                "Code": PACKAGE,
            }
        )

    return create


def slow(monkeypatch, owner: Any, name: str) -> None:
    """Between what this function looks at and what its caller makes of it, others have time."""
    original = getattr(owner, name)

    def slowly(*arguments: Any, **named: Any) -> Any:
        seen = original(*arguments, **named)
        time.sleep(0.05)
        return seen

    monkeypatch.setattr(owner, name, slowly)


def outcomes(call: Callable[[], Any]) -> Counter[str]:
    """How the same call ends when it is made several times at once."""
    start = threading.Barrier(AT_ONCE)

    def run(_number: int) -> str:
        start.wait()
        try:
            call()
        except LambdaClientError as error:
            return error.error_type
        return "done"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(pool.map(run, range(AT_ONCE)))


# -- of several calls at once, one succeeds ---------------------------------------------------


def test_one_of_several_makes_a_function(monkeypatch, create) -> None:
    slow(monkeypatch, function_rules, "check_code")
    assert outcomes(lambda: create("f")) == {"done": 1, "ResourceConflictException": 3}


def test_one_of_several_makes_an_alias(monkeypatch, backend, create) -> None:
    create("f")
    slow(monkeypatch, moto_lambda, "LambdaAlias")
    ends = outcomes(lambda: backend.create_alias("a", "f", "$LATEST", "", None))
    assert ends == {"done": 1, "ResourceConflictException": 3}


def test_one_of_several_makes_a_trigger(monkeypatch, backend, create) -> None:
    create("f")
    monkeypatch.setattr(mappings, "Poller", lambda *_: SimpleNamespace(wake=lambda: None))
    monkeypatch.setattr(mappings.Triggers, "_check_queue", lambda *_: None)
    slow(monkeypatch, mappings.Triggers, "_check_not_mapped_yet")
    spec = {"EventSourceArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "FunctionName": "f"}
    ends = outcomes(lambda: backend.triggers.create(spec))
    assert ends == {"done": 1, "ResourceConflictException": 3}


def test_one_of_several_updates_code(monkeypatch, backend, create) -> None:
    create("f")
    slow(monkeypatch, function.Function, "update_function_code")
    ends = outcomes(lambda: backend.update_function_code("f", None, dict(PACKAGE)))
    assert ends == {"done": 1, "ResourceConflictException": 3}


def test_several_publish_the_same_version(monkeypatch, backend, create) -> None:
    create("f")
    slow(monkeypatch, storage.copy, "copy")
    assert outcomes(lambda: backend.publish_version_if("f", {})) == {"done": 4}
    versions = [each.version for each in backend._lambdas._functions["f"]["versions"]]
    assert versions == [1]


def test_concurrency_is_not_given_away_twice(monkeypatch, backend, create) -> None:
    names = iter([create(f"f{number}").function_name for number in range(AT_ONCE)])
    slow(monkeypatch, functions.Backend, "reserved_concurrency")
    ends = outcomes(lambda: backend.put_function_concurrency(next(names), 500))
    assert ends == {"done": 1, "InvalidParameterValueException": 3}
    monkeypatch.undo()
    assert backend.reserved_concurrency() == 500


def test_functions_are_listed_and_found_while_others_come_and_go(backend, create) -> None:
    for number in range(50):
        create(f"stays-{number}")
    over = threading.Event()

    def come_and_go() -> None:
        try:
            for _ in range(100):
                create("comes")
                backend.delete_function("comes")
        finally:
            over.set()

    def read() -> None:
        while not over.is_set():
            assert 50 <= len(list(backend.list_functions())) <= 51
            try:
                backend.get_function("comes")
            except moto_lambda.UnknownFunctionException:
                pass

    with threads_take_turns_often(), ThreadPoolExecutor(2) as pool:
        running = [pool.submit(action) for action in (come_and_go, read)]
    for each in running:
        each.result()


def test_a_backend_that_begins_anew_keeps_its_executor(backend, create, retired) -> None:
    first = create("f").function_arn
    backend.reset()
    assert list(backend.list_functions()) == []
    create("f")
    backend.delete_function("f")
    assert retired == [first, first]


# -- packages that cannot be unpacked -----------------------------------------------------------


def zip_of(*names: str, mode: int = 0, method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, "x = 'original'", method)
    return buffer.getvalue()


def encrypted() -> bytes:
    """A zip file whose entry says that it is encrypted."""
    package = bytearray(zip_of("f.py"))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        package[package.index(signature) + offset] |= 1
    return bytes(package)


BAD = {
    "no zip file": b"not a zip file",
    "cut off": zip_of("f.py")[:-30],
    "file and folder": zip_of("a", "a/b"),
    "folder and file": zip_of("a/", "a"),
    "deep file and folder": zip_of("x/y/z.py", "x/y"),
    "long name": zip_of("x" * 300 + ".py"),
    "long name in UTF-8": zip_of("\u00fc" * 128),
    "absolute": zip_of("/f.py"),
    "above": zip_of("../f.py"),
    "above in the middle": zip_of("a/../../f.py"),
    "symbolic link": zip_of("f.py", mode=stat.S_IFLNK | 0o777),
    "wrong checksum": zip_of("f.py").replace(b"original", b"tampered", 1),
    "damaged data": zip_of("f.py", method=zipfile.ZIP_DEFLATED).replace(b"f.py", b"f.py\xff", 1),
    "encrypted": encrypted(),
}


@pytest.mark.parametrize("package", BAD.values(), ids=BAD)
def test_what_cannot_be_unpacked_is_refused(package) -> None:
    with pytest.raises(InvalidParameterValueException, match="Could not unzip uploaded file"):
        function_rules.check_package(package)


def test_what_can_be_unpacked_is_taken() -> None:
    names = ("f.py", "a/", "a/b.py", "./c.py", "d//e.py", "\u00fc" * 127, "..f", "x" * 255)
    function_rules.check_package(zip_of(*names))
    function_rules.check_package(zip_of("f.sh", mode=stat.S_IFREG | 0o755))


# -- a fault of ours at Invoke ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "message", "shows_traceback"),
    [
        (OSError(28, "No space left on device"), "could not run f: [Errno 28] No space", True),
        (zipfile.BadZipFile("File is not a zip file"), "could not run f: File is not a zip", True),
        (Stopped(), "is being stopped", False),
    ],
    ids=["full disk", "damaged package", "end of the server"],
)
def test_a_fault_of_the_service_has_an_answer(capsys, fault, message, shows_traceback) -> None:
    def run(*_arguments: Any) -> None:
        raise fault

    function = SimpleNamespace(function_name="f", version="$LATEST")
    invocations = SimpleNamespace(run=run, function_to_invoke=lambda *_: function)
    backend = SimpleNamespace(invocations=invocations)
    status, headers, body = invoke(backend, Call("f", None, b"{}"))
    assert (status, headers["x-amzn-ErrorType"]) == (500, "ServiceException")
    assert message in json.loads(body)["Message"]
    assert ("Traceback" in capsys.readouterr().err) == shows_traceback


@pytest.mark.parametrize(
    ("weights", "draw", "chosen"),
    [({}, 0.0, "1"), ({"2": 0.25}, 0.24, "2"), ({"2": 0.25}, 0.25, "1"), ({"2": 0.0}, 0.0, "1")],
)
def test_an_alias_shares_its_calls_by_weights(weights, draw, chosen) -> None:
    routing = {"AdditionalVersionWeights": weights}
    alias = function.Alias("1", "r", "live", "f", "1", "", routing)
    assert alias.choose(draw) == chosen
