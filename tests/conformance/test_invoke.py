"""Invoke: what it answers when a handler returns, raises, exits, hangs or cannot be loaded."""

from __future__ import annotations

import base64
import json
import re
import threading
from typing import Any

import pytest

from tests.conformance.kit import (
    HEAD,
    PLATFORM_WORDS,
    Aws,
    Declared,
    Early,
    poll,
    refusal,
    unique,
)

ECHO = Declared(HEAD + "    print('echo', event)\n    return event\n", Timeout=10)
NOTHING = Declared(HEAD + "    pass\n")
COLD = Declared(HEAD + "    print(event)\n")
COUNTER = Declared("n = -1\n" + HEAD + "    global n\n    n += 1\n    return n\n")
RAISES = Declared(HEAD + '    raise Exception("Handler fails")\n')
FAILS_AT_IMPORT = Declared("raise ValueError('at import')\n" + HEAD + "    pass\n")
MISSING_MODULE = Declared("x = 1\n", Handler="nope.lambda_handler")
MISSING_HANDLER = Declared("x = 1\n", Handler="lambda_function.nope")
NO_DOT = Declared(HEAD + "    pass\n", Handler="lambda_handler")
SYNTAX_ERROR = Declared("def lambda_handler(:\n")
NO_JSON = Declared(HEAD + "    return {1, 2}\n")
EXITS = Declared("import sys\n" + HEAD + "    sys.exit()\n")
EXITS_AT_IMPORT = Declared("import sys\nsys.exit()\n" + HEAD + "    pass\n")
EXITS_WITH = Declared("import os\n" + HEAD + "    os._exit(event)\n")
KILLED = Declared("import os, signal\n" + HEAD + "    os.kill(os.getpid(), signal.SIGKILL)\n")
SLOW_INIT = Declared(
    "import os, tempfile, time\nPATH = os.path.join(tempfile.gettempdir(), 'was here')\n"
    "if not os.path.exists(PATH):\n    open(PATH, 'w').close()\n    time.sleep(20)\n"
    + HEAD
    + "    print('handled')\n",
)
SLOW_ALWAYS = Declared("import time\ntime.sleep(20)\n" + HEAD + "    pass\n", Timeout=1)
SLOW_ONCE = Declared("import time\ntime.sleep(1.5)\n" + HEAD + "    return 1\n", Timeout=1)
SLEEPS = Declared(
    "import os, tempfile, time\nvalue = 0\nPATH = os.path.join(tempfile.gettempdir(), 'kept')\n"
    + HEAD
    + "    global value\n    if event == 'read':\n"
    "        return [value, os.path.exists(PATH) and open(PATH).read()]\n"
    "    value = 42\n    open(PATH, 'w').write('kept')\n    print('before')\n    time.sleep(2)\n"
    "    print('after')\n",
    Timeout=1,
)
LARGE = Declared(HEAD + "    print('made')\n    return 'x' * event['size']\n", Timeout=10)
THROTTLED = Declared(HEAD + "    return 1\n")
BUSY = Declared("import time\n" + HEAD + "    print('began')\n    time.sleep(3)\n", Timeout=10)
PARALLEL = Declared(
    "import os, time\n" + HEAD + "    print('began')\n    time.sleep(1.5)\n"
    "    return [os.environ['AWS_LAMBDA_LOG_STREAM_NAME'], os.environ['AWS_SESSION_TOKEN']]\n",
    Timeout=10,
)
HUNGRY = Declared(
    "import time\n" + HEAD + "    if event:\n        hoard = bytearray(400 * 2**20)\n"
    "        hoard[:] = b'x' * len(hoard)\n        time.sleep(10)\n    return 'fine'\n",
    Timeout=20,
)
NO_WRAPPER = Declared(
    HEAD + "    pass\n", Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/idontexist.sh"}}
)
UPDATED = Declared(
    "import os, time\n" + HEAD + "    print(os.environ['VARIANT'])\n    time.sleep(2)\n",
    Timeout=10,
    Environment={"Variables": {"VARIANT": "one"}},
)

DIFFERS = {
    "LS-040": "/tmp is your computer's; what Python's tempfile names is each environment's own",
    "LS-037": "the line numbers of Python's own frames are those of your Python",
    "LS-140": "(a) unbounded recursion at import ends as soon as its memory is used up, as "
    "Runtime.OutOfMemory, or by a signal as Runtime.ExitError; AWS let it run into the time-out",
}


@Early
def start_what_is_slow(aws: Aws) -> None:
    """Two functions whose import takes longer than the 10 s that Lambda allows."""
    for each in (SLOW_INIT, SLOW_ALWAYS):
        aws.lambda_.put_function_event_invoke_config(FunctionName=each.name, MaximumRetryAttempts=0)
        aws.invoke(each.name, InvocationType="Event")


def exit_error(request_id: str, text: str) -> bytes:
    error = {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: {text}",
    }
    return json.dumps(error, separators=(",", ":")).encode()


def platform_lines(aws: Aws, name: str) -> list[str]:
    """The platform's lines of the first invocation, when they are all there."""
    lines = poll(
        lambda: [line for line in aws.log(name) if line.startswith(PLATFORM_WORDS)],
        lambda lines: any(line.startswith("REPORT ") for line in lines),
        "the report",
    )
    end = next(number for number, line in enumerate(lines) if line.startswith("REPORT "))
    return lines[: end + 1]


def test_LS_034_a_result(aws) -> None:
    answer = aws.invoke(ECHO.name, {"a": 1})
    assert answer.value == {"a": 1}
    assert set(answer.whole) == {"StatusCode", "ExecutedVersion", "Payload", "ResponseMetadata"}
    assert (answer.whole["StatusCode"], answer.whole["ExecutedVersion"]) == (200, "$LATEST")


def test_LS_034_nothing_returned(aws) -> None:
    assert aws.invoke(NOTHING.name).payload == b"null"


def test_LS_034_an_event_is_accepted_and_runs_later(aws) -> None:
    answer = aws.invoke(ECHO.name, {"b": 2}, InvocationType="Event")
    assert (answer.whole["StatusCode"], answer.payload) == (202, b"")
    assert answer.whole["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert "ExecutedVersion" not in answer.whole
    poll(lambda: aws.own_lines(ECHO.name), lambda lines: "echo {'b': 2}\n" in lines, "the echo")


def test_LS_035_the_tail_of_the_log(aws) -> None:
    answer = aws.invoke(COLD.name, {}, LogType="Tail")
    tail = base64.b64decode(answer.whole["LogResult"]).decode()
    start, printed, end, report = tail.splitlines()
    assert start == f"START RequestId: {answer.request_id} Version: $LATEST"
    assert printed == "{}"
    assert end == f"END RequestId: {answer.request_id}"
    assert report.startswith(f"REPORT RequestId: {answer.request_id}\tDuration: ")
    assert report.endswith(" ms\t")
    assert "\tInit Duration: " in report


def test_LS_036_LS_048_a_handler_raises(aws) -> None:
    answer = aws.invoke(RAISES.name)
    assert (answer.whole["StatusCode"], answer.error) == (200, "Unhandled")
    assert list(answer.value) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert answer.value == {
        "errorMessage": "Handler fails",
        "errorType": "Exception",
        "requestId": answer.request_id,
        "stackTrace": [
            '  File "/var/task/lambda_function.py", line 2, in lambda_handler\n'
            '    raise Exception("Handler fails")\n'
        ],
    }
    [event] = aws.wait_lines(RAISES.name, 1)
    assert event == (
        "[ERROR] Exception: Handler fails\nTraceback (most recent call last):\n"
        '\xa0\xa0File "/var/task/lambda_function.py", line 2, in lambda_handler\n'
        '\xa0\xa0\xa0\xa0raise Exception("Handler fails")'
    )


def test_LS_037_an_import_fails(aws) -> None:
    answer = aws.invoke(FAILS_AT_IMPORT.name)
    value = answer.value
    assert answer.error == "Unhandled"
    assert list(value) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert (value["errorMessage"], value["errorType"]) == ("at import", "ValueError")
    assert value["requestId"] == ""
    first, *frozen, last = value["stackTrace"]
    assert first.startswith('  File "/var/lang/lib/python3.13/importlib/__init__.py", line ')
    assert frozen
    assert all("<frozen importlib" in frame for frame in frozen)
    assert last == (
        '  File "/var/task/lambda_function.py", line 1, in <module>\n'
        "    raise ValueError('at import')\n"
    )


@pytest.mark.parametrize(
    ("declared", "error_type", "message"),
    [
        (
            MISSING_MODULE,
            "Runtime.ImportModuleError",
            "Unable to import module 'nope': No module named 'nope'",
        ),
        (
            MISSING_HANDLER,
            "Runtime.HandlerNotFound",
            "Handler 'nope' missing on module 'lambda_function'",
        ),
        (SYNTAX_ERROR, "Runtime.UserCodeSyntaxError", "Syntax error in module 'lambda_function'"),
        (NO_DOT, "Runtime.MalformedHandlerName", "Bad handler 'lambda_handler': "),
    ],
    ids=["import", "handler", "syntax", "malformed"],
)
def test_G_11_mistakes_at_import(aws, declared, error_type, message) -> None:
    answer = aws.invoke(declared.name)
    assert answer.error == "Unhandled"
    assert answer.value["errorType"] == error_type
    assert answer.value["errorMessage"].startswith(message)
    assert answer.value["requestId"] == ""
    platform = platform_lines(aws, declared.name)
    ends = rf"\tStatus: error\tError Type: {error_type}\n"
    assert platform[0].startswith("INIT_START ")
    for line, phase in zip(platform[1:3], ("init", "invoke"), strict=True):
        assert re.fullmatch(rf"INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: {phase}{ends}", line)
    assert platform[3:5] == [
        f"START RequestId: {answer.request_id} Version: $LATEST\n",
        f"END RequestId: {answer.request_id}\n",
    ]
    report = rf"REPORT RequestId: {answer.request_id}\tDuration: (\S+) ms\tBilled .*MB{ends}"
    again = re.search(r"Duration: (\S+) ms", platform[2])
    assert float(re.fullmatch(report, platform[5])[1]) >= float(again[1])


def test_G_11_another_error_at_import_has_no_type_in_the_log(aws) -> None:
    aws.invoke(FAILS_AT_IMPORT.name)
    reports = [line for line in platform_lines(aws, FAILS_AT_IMPORT.name) if "REPORT" in line]
    assert all(line.endswith("\tStatus: error\tError Type: Runtime.Unknown\n") for line in reports)


def test_an_init_may_take_longer_than_the_time_out(aws) -> None:
    assert aws.invoke(SLOW_ONCE.name).value == 1


@pytest.mark.at_end
def test_an_init_over_10_s_starts_again_in_the_invocation(aws) -> None:
    lines = aws.wait_lines(SLOW_INIT.name, 1)
    assert lines == ["handled\n"]
    platform = platform_lines(aws, SLOW_INIT.name)
    assert [line.split(" ")[0] for line in platform] == [
        *("INIT_START", "INIT_REPORT", "START", "END", "REPORT"),
    ]
    timed_out = r"INIT_REPORT Init Duration: (\S+) ms\tPhase: init\tStatus: timeout\n"
    assert float(re.fullmatch(timed_out, platform[1])[1]) >= 9900
    assert "Init Duration" not in platform[4]
    assert platform[4].endswith(" MB\t\n")


@pytest.mark.at_end
def test_an_init_over_10_s_that_is_slow_again_ends_in_the_time_out(aws) -> None:
    platform = platform_lines(aws, SLOW_ALWAYS.name)
    assert [line.split(" ")[0] for line in platform] == [
        *("INIT_START", "INIT_REPORT", "INIT_REPORT", "START", "END", "REPORT"),
    ]
    assert platform[2].endswith("\tPhase: invoke\tStatus: timeout\n")
    assert "\tDuration: 1000.00 ms\t" in platform[5]
    assert platform[5].endswith("\tStatus: timeout\n")


def test_G_11_a_result_that_is_no_json(aws) -> None:
    value = aws.invoke(NO_JSON.name).value
    assert value["errorType"] == "Runtime.MarshalError"
    assert value["errorMessage"] == (
        "Unable to marshal response: Object of type set is not JSON serializable"
    )


@pytest.mark.parametrize("declared", [EXITS, EXITS_AT_IMPORT], ids=["handler", "import"])
def test_LS_038_sys_exit(aws, declared) -> None:
    answer = aws.invoke(declared.name, {})
    assert answer.error == "Unhandled"
    assert answer.payload == exit_error(
        answer.request_id, "Runtime exited without providing a reason"
    )


def test_an_exit_status_is_told(aws) -> None:
    answer = aws.invoke(EXITS_WITH.name, 7)
    assert answer.payload == exit_error(
        answer.request_id, "Runtime exited with error: exit status 7"
    )
    [report] = [line for line in platform_lines(aws, EXITS_WITH.name) if "REPORT" in line]
    assert report.endswith("\tStatus: error\tError Type: Runtime.ExitError\n")


def test_a_signal_is_told(aws) -> None:
    answer = aws.invoke(KILLED.name)
    assert answer.payload == exit_error(
        answer.request_id, "Runtime exited with error: signal: killed"
    )


def test_LS_039_LS_040_a_time_out_keeps_files_and_loses_globals(aws) -> None:
    assert aws.invoke(SLEEPS.name, "read").value == [0, False]
    answer = aws.invoke(SLEEPS.name, "write")
    assert answer.error == "Unhandled"
    text = f"RequestId: {answer.request_id} Error: Task timed out after 1.00 seconds"
    assert answer.value == {"errorType": "Sandbox.Timedout", "errorMessage": text}
    assert list(answer.value) == ["errorType", "errorMessage"]
    assert aws.invoke(SLEEPS.name, "read").value == [0, "kept"]
    lines = poll(
        lambda: aws.log(SLEEPS.name),
        lambda seen: sum(line.startswith("REPORT") for line in seen) == 3,
        "three reports",
    )
    assert "before\n" in lines
    assert "after\n" not in lines
    [timed_out] = [line for line in lines if line.endswith("\tStatus: timeout\n")]
    assert "\tDuration: 1000.00 ms\tBilled Duration: 1000 ms\t" in timed_out


def test_LS_040_globals_survive_a_warm_start(aws) -> None:
    assert [aws.invoke(COUNTER.name).value for _ in range(2)] == [0, 1]


def test_LS_041_a_response_that_is_too_large(aws) -> None:
    answer = aws.invoke(LARGE.name, {"size": 7 * 2**20})
    assert answer.error == "Unhandled"
    assert answer.value == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    assert len(aws.invoke(LARGE.name, {"size": 6 * 2**20}).value) == 6 * 2**20
    assert aws.wait_lines(LARGE.name, 2) == ["made\n", "made\n"]


def test_LS_042_an_unknown_function(aws) -> None:
    name = unique("nope")
    arn = f"arn:aws:lambda:{aws.region}:{aws.account}:function:{name}"
    error = (404, "ResourceNotFoundException", f"Function not found: {arn}:$LATEST")
    assert refusal(aws.lambda_.invoke, FunctionName=name) == error
    assert refusal(aws.lambda_.get_function, FunctionName=name) == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {arn}",
    )


def throttled(aws, name: str) -> dict[str, Any]:
    with pytest.raises(aws.lambda_.exceptions.TooManyRequestsException) as caught:
        aws.invoke(name)
    return caught.value.response


def test_LS_045_reserved_concurrency_of_none(aws) -> None:
    reserve = {"FunctionName": THROTTLED.name, "ReservedConcurrentExecutions": 0}
    aws.lambda_.put_function_concurrency(**reserve)
    response = throttled(aws, THROTTLED.name)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert response["Error"]["Message"] == "Rate Exceeded."
    assert response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert response["Type"] == "User"
    aws.lambda_.delete_function_concurrency(FunctionName=THROTTLED.name)
    poll(lambda: aws.invoke(THROTTLED.name).value, lambda value: value == 1, "an answer")


def test_LS_045_reserved_concurrency_is_used_up(aws) -> None:
    reserve = {"FunctionName": BUSY.name, "ReservedConcurrentExecutions": 1}
    aws.lambda_.put_function_concurrency(**reserve)
    aws.invoke(BUSY.name, InvocationType="Event")
    aws.wait_lines(BUSY.name, 1)
    response = throttled(aws, BUSY.name)
    assert response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_LS_090_invocations_at_once_have_environments_of_their_own(aws) -> None:
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(aws.invoke(PARALLEL.name).value))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({stream for stream, _ in answers}) == len({token for _, token in answers}) == 2


def test_LS_091_large_payloads(aws) -> None:
    payload = "x" * (5 * 10**6)
    answer = aws.invoke(ECHO.name, payload)
    assert (answer.error, answer.value) == (None, payload)


@pytest.mark.parametrize(
    "payload",
    [b"'not json'", b"\xff", b"NaN", b"[" * 100_000, '{"a": 1}'.encode("utf-16")],
    ids=["quotes", "utf-8", "constant", "deep", "utf-16"],
)
def test_LS_091_a_payload_that_is_no_json(aws, payload) -> None:
    status, code, message = refusal(aws.lambda_.invoke, FunctionName=ECHO.name, Payload=payload)
    assert (status, code) == (400, "InvalidRequestContentException")
    assert message.startswith(
        "Could not parse request body into json: Could not parse payload into json: "
    )


def test_a_payload_over_the_limit_is_refused(aws) -> None:
    payload = b'"' + b"x" * 6_291_456 + b'"'
    assert refusal(aws.lambda_.invoke, FunctionName=ECHO.name, Payload=payload) == (
        413,
        "RequestEntityTooLargeException",
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
    )


def test_an_event_over_the_limit_is_refused(aws) -> None:
    invoke = {"FunctionName": NOTHING.name, "InvocationType": "Event"}
    largest = b'"' + b"x" * (2**20 - 2) + b'"'
    assert aws.lambda_.invoke(Payload=largest, **invoke)["StatusCode"] == 202
    assert refusal(aws.lambda_.invoke, Payload=largest + b" ", **invoke) == (
        413,
        "RequestEntityTooLargeException",
        "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
    )


@pytest.mark.parametrize(
    "context", ["no base64", *(base64.b64encode(text).decode() for text in (b"no json", b"1"))]
)
def test_a_client_context_that_is_none_is_refused(aws, context) -> None:
    call = {"FunctionName": ECHO.name, "Payload": b"1", "ClientContext": context}
    assert refusal(aws.lambda_.invoke, **call) == (
        400,
        "InvalidRequestContentException",
        "Client context must be a valid Base64-encoded JSON object.",
    )


def test_LS_094_queued_events_run_on_the_new_variant(aws) -> None:
    name = UPDATED.name
    aws.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    aws.invoke(name, InvocationType="Event")
    aws.wait_lines(name, 1)
    for _ in range(2):
        aws.invoke(name, InvocationType="Event")
    variables = {"Variables": {"VARIANT": "two"}}
    aws.lambda_.update_function_configuration(FunctionName=name, Environment=variables)
    aws.wait_updated(name)
    aws.invoke(name, InvocationType="Event")
    assert aws.wait_lines(name, 4) == ["one\n", "two\n", "two\n", "two\n"]


def test_a_handler_that_uses_more_than_its_memory_is_killed(aws) -> None:
    answer = aws.invoke(HUNGRY.name, True)
    assert answer.error == "Unhandled"
    assert (
        answer.payload
        == (
            '{"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: '
            f'{answer.request_id} Error: Runtime exited with error: signal: killed"}}'
        ).encode()
    )
    report = poll(
        lambda: [line for line in aws.log(HUNGRY.name) if line.startswith("REPORT")],
        bool,
        "the report",
    )[0]
    memory = r"\tMemory Size: 128 MB\tMax Memory Used: 128 MB\tInit Duration: \S+ ms"
    assert re.search(memory + r"\tStatus: error\tError Type: Runtime\.OutOfMemory\n$", report)
    assert aws.invoke(HUNGRY.name, False).value == "fine"


def test_LS_140_a_wrapper_that_is_not_there(aws) -> None:
    answer = aws.invoke(NO_WRAPPER.name)
    assert answer.payload == exit_error(
        answer.request_id, "Runtime exited with error: exit status 127"
    )
