"""Handlers really run, and end as AWS was recorded to end them."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile

import pytest

from helpers import steps
from helpers.localaws.environments import Function
from helpers.localaws.executor import Executor, unpack
from tests.conformance.kit import REGION, Declared, poll, refusal, unique

ACCOUNT = "123456789012"
HEAD = "def lambda_handler(event, context):\n"
ECHO = Declared(HEAD + "    print('echo', event)\n    return event\n")
COUNTER = Declared("n = 0\n" + HEAD + "    global n\n    n += 1\n    return n\n")
CONTEXT = Declared(
    "import os\n" + HEAD + "    return {**{k: getattr(context, k) for k in ('function_name',"
    " 'function_version', 'invoked_function_arn', 'memory_limit_in_mb', 'aws_request_id',"
    " 'log_group_name')}, 'left': context.get_remaining_time_in_millis(),"
    " 'environment': dict(os.environ)}\n",
    Environment={"Variables": {"COLOUR": "blue"}},
)
PRINTS = Declared(HEAD + "    print('\\nmulti\\nline\\nanother\\rline\\n')\n")
LOGS = Declared("import logging\n" + HEAD + "    logging.getLogger().warning('x')\n")
RAISES = Declared(HEAD + '    raise Exception("Handler fails")\n')
MISSING_MODULE = Declared("x = 1\n", Handler="nope.lambda_handler")
MISSING_HANDLER = Declared("x = 1\n", Handler="lambda_function.nope")
SYNTAX_ERROR = Declared("def lambda_handler(:\n")
EXITS = Declared("import sys\n" + HEAD + "    sys.exit(event.get('code', 0))\n")
EXITS_AT_IMPORT = Declared("import sys\nsys.exit()\n" + HEAD + "    pass\n")
SLEEPS = Declared(
    "import time\nn = 0\n" + HEAD + "    global n\n    n += 1\n    print('before')\n"
    "    time.sleep(event['s'])\n    print('after')\n    return n\n",
    Timeout=1,
)
LARGE = Declared(HEAD + "    return 'x' * event['size']\n")
IMPORTS = Declared(HEAD + "    __import__(event['module'])\n")
CALLS_AWS = Declared(
    "import boto3\n" + HEAD + "    return boto3.client('sts').get_caller_identity()['Arn']\n",
    Timeout=20,
)
TO_CHANGE = Declared(HEAD + "    print('first words')\n")
THROTTLED = Declared(HEAD + "    return 1\n")


def test_what_the_handler_prints_is_in_the_log_and_a_change_of_it_too(aws) -> None:
    aws.invoke(TO_CHANGE.name)
    steps.deploy_handler(aws.lambda_, TO_CHANGE.name, HEAD + "    print('other words')\n")
    aws.invoke(TO_CHANGE.name)
    assert aws.own_lines(TO_CHANGE.name) == ["first words\n", "other words\n"]


def test_LS_034_invoke_answers_with_what_the_handler_returned(aws) -> None:
    answer = aws.invoke(ECHO.name, {"a": 1})
    assert answer.value == {"a": 1}
    assert answer.error is None
    assert (answer.whole["StatusCode"], answer.whole["ExecutedVersion"]) == (200, "$LATEST")
    assert "LogResult" not in answer.whole


def test_LS_034_event_is_accepted_and_runs_later(aws) -> None:
    answer = aws.invoke(ECHO.name, {"b": 2}, InvocationType="Event")
    assert (answer.whole["StatusCode"], answer.payload) == (202, b"")
    assert "ExecutedVersion" not in answer.whole
    poll(lambda: aws.own_lines(ECHO.name), lambda lines: "echo {'b': 2}\n" in lines, "the echo")


def test_LS_092_dry_run(aws) -> None:
    answer = aws.invoke(ECHO.name, {"never": 0}, InvocationType="DryRun")
    assert (answer.whole["StatusCode"], answer.payload) == (204, b"")
    assert "echo {'never': 0}\n" not in aws.own_lines(ECHO.name)


def test_LS_040_LS_046_cold_then_warm(aws) -> None:
    assert [aws.invoke(COUNTER.name).value for _ in range(3)] == [1, 2, 3]
    lines = aws.log(COUNTER.name)
    kinds = [line.split(" ")[0] for line in lines]
    assert kinds == ["INIT_START", *["START", "END", "REPORT"] * 3]
    reports = [line for line in lines if line.startswith("REPORT")]
    cold = (
        r"REPORT RequestId: [0-9a-f-]{36}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 128 MB\tMax Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms\t\n"
    )
    assert re.fullmatch(cold, reports[0])
    assert re.fullmatch(cold.replace(r"Init Duration: \d+\.\d\d ms\t", ""), reports[1])
    assert re.fullmatch(r"INIT_START Runtime Version: python:3\.13\.v\d+\tRuntime.*\n", lines[0])


def test_LS_043_context_and_LS_050_request_id(aws) -> None:
    answer = aws.invoke(CONTEXT.name)
    seen = answer.value
    assert seen["function_name"] == CONTEXT.name
    assert seen["function_version"] == "$LATEST"
    assert seen["memory_limit_in_mb"] == "128"
    assert seen["log_group_name"] == f"/aws/lambda/{CONTEXT.name}"
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{CONTEXT.name}"
    assert seen["invoked_function_arn"] == arn
    assert 0 < seen["left"] <= 3000
    assert seen["aws_request_id"] == answer.request_id
    assert f"START RequestId: {answer.request_id} Version: $LATEST\n" in aws.log(CONTEXT.name)


def test_LS_044_environment_has_the_roles_credentials_and_none_of_this_machine(aws) -> None:
    seen = aws.invoke(CONTEXT.name).value["environment"]
    assert seen["COLOUR"] == "blue"
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert seen["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert seen["LAMBDA_TASK_ROOT"] == "/var/task"
    assert {seen["AWS_CONFIG_FILE"], seen["AWS_SHARED_CREDENTIALS_FILE"]} <= {"/dev/null", "nul"}
    assert seen["AWS_ENDPOINT_URL"] == aws.endpoint_url


def test_LS_089_boto3_in_a_handler_is_the_role(aws) -> None:
    arn = aws.invoke(CALLS_AWS.name).value
    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/{aws.role_name}/{CALLS_AWS.name}"


def test_a_handler_imports_what_the_runtime_offers_and_nothing_else(aws) -> None:
    assert aws.invoke(IMPORTS.name, {"module": "boto3"}).error is None
    answer = aws.invoke(IMPORTS.name, {"module": "pandas"})
    assert answer.value["errorMessage"] == "No module named 'pandas'"
    assert aws.invoke(IMPORTS.name, {"module": "helpers"}).error == "Unhandled"


def test_LS_047_each_printed_line_is_an_event(aws) -> None:
    aws.invoke(PRINTS.name)
    assert aws.own_lines(PRINTS.name) == ["multi\n", "line\n", "another\rline\n"]


def test_LS_049_logging_format(aws) -> None:
    request_id = aws.invoke(LOGS.name).request_id
    (line,) = aws.own_lines(LOGS.name)
    time_format = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(rf"\[WARNING\]\t{time_format}\t{request_id}\tx\n", line)


def test_LS_036_LS_048_handler_raises(aws) -> None:
    answer = aws.invoke(RAISES.name)
    assert answer.error == "Unhandled"
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
    (event,) = aws.own_lines(RAISES.name)
    assert event == (
        "[ERROR] Exception: Handler fails\nTraceback (most recent call last):\n"
        '\xa0\xa0File "/var/task/lambda_function.py", line 2, in lambda_handler\n'
        '\xa0\xa0\xa0\xa0raise Exception("Handler fails")'
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
    ],
    ids=["import", "handler", "syntax"],
)
def test_LS_037_G_11_mistakes_at_import(aws, declared, error_type, message) -> None:
    answer = aws.invoke(declared.name)
    assert answer.error == "Unhandled"
    assert answer.value["errorType"] == error_type
    assert answer.value["errorMessage"].startswith(message)
    assert answer.value["requestId"] == ""
    assert any(
        "Status: error\tError Type: " + error_type in line for line in aws.log(declared.name)
    )


@pytest.mark.parametrize(
    ("declared", "event", "text"),
    [
        (EXITS, {}, "Runtime exited without providing a reason"),
        (EXITS, {"code": 3}, "Runtime exited with error: exit status 3"),
        (EXITS_AT_IMPORT, {}, "Runtime exited without providing a reason"),
    ],
    ids=["0", "3", "import"],
)
def test_LS_038_exit(aws, declared, event, text) -> None:
    answer = aws.invoke(declared.name, event)
    assert (
        answer.payload
        == json.dumps(
            {
                "errorType": "Runtime.ExitError",
                "errorMessage": f"RequestId: {answer.request_id} Error: {text}",
            },
            separators=(",", ":"),
        ).encode()
    )


def test_LS_039_LS_040_time_out_then_a_fresh_process(aws) -> None:
    assert aws.invoke(SLEEPS.name, {"s": 0}).value == 1
    answer = aws.invoke(SLEEPS.name, {"s": 30})
    assert answer.error == "Unhandled"
    assert answer.value == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {answer.request_id} Error: Task timed out after 1.00 seconds",
    }
    assert aws.invoke(SLEEPS.name, {"s": 0}).value == 1
    lines = aws.log(SLEEPS.name)
    timed_out = [line for line in lines if line.endswith("\tStatus: timeout\n")]
    assert len(timed_out) == 1
    assert "\tDuration: 1000.00 ms\tBilled Duration: 1000 ms\t" in timed_out[0]
    assert lines.count("before\n") == 3 and lines.count("after\n") == 2
    assert len({event["logStreamName"] for event in aws.log_events(SLEEPS.name)}) == 1


def test_LS_041_response_too_large(aws) -> None:
    answer = aws.invoke(LARGE.name, {"size": 7 * 2**20})
    assert answer.error == "Unhandled"
    assert answer.value == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    assert len(aws.invoke(LARGE.name, {"size": 6 * 2**20}).value) == 6 * 2**20


def test_LS_035_log_tail(aws) -> None:
    answer = aws.invoke(ECHO.name, {}, LogType="Tail")
    tail = base64.b64decode(answer.whole["LogResult"]).decode()
    start, printed, end, report = tail.splitlines()
    assert start == f"START RequestId: {answer.request_id} Version: $LATEST"
    assert printed == "echo {}"
    assert end == f"END RequestId: {answer.request_id}"
    assert report.startswith(f"REPORT RequestId: {answer.request_id}\tDuration: ")


def test_LS_045_reserved_concurrency(aws) -> None:
    aws.lambda_.put_function_concurrency(
        FunctionName=THROTTLED.name, ReservedConcurrentExecutions=0
    )
    refused = refusal(aws.lambda_.invoke, FunctionName=THROTTLED.name)
    assert refused == (429, "TooManyRequestsException", "Rate Exceeded.")
    aws.lambda_.delete_function_concurrency(FunctionName=THROTTLED.name)
    assert aws.invoke(THROTTLED.name).value == 1


def test_LS_042_unknown_function(aws) -> None:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:nope:$LATEST"
    refused = refusal(aws.lambda_.invoke, FunctionName="nope")
    assert refused == (404, "ResourceNotFoundException", f"Function not found: {arn}")


def test_LS_030_to_LS_033_states(aws) -> None:
    name = unique("states")
    created = aws.create_function(name, ECHO.source)
    assert created["State"] == "Pending"
    assert created["StateReason"] == "The function is being created."
    assert created["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}
    assert "Layers" not in created and "LastUpdateStatus" not in created
    refused = refusal(aws.lambda_.invoke, FunctionName=name)
    assert refused[:2] == (409, "ResourceConflictException")
    aws.wait_active(name)
    updated = aws.lambda_.update_function_configuration(FunctionName=name, Timeout=5)
    assert (updated["State"], updated["LastUpdateStatus"]) == ("Active", "InProgress")
    assert refusal(
        aws.lambda_.update_function_code, FunctionName=name, ZipFile=steps.make_package("x = 1")
    ) == (
        409,
        "ResourceConflictException",
        "The operation cannot be performed at this time. An update is in progress for resource: "
        + updated["FunctionArn"],
    )
    aws.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)
    now = aws.lambda_.get_function_configuration(FunctionName=name)
    assert (now["LastUpdateStatus"], now["Timeout"]) == ("Successful", 5)
    assert now["RevisionId"] != created["RevisionId"]


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        (
            {"Code": {"ZipFile": b"no zip"}},
            "InvalidParameterValueException",
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            {"Runtime": "python3.7"},
            "InvalidParameterValueException",
            "The runtime parameter of python3.7 is no longer supported",
        ),
        (
            {"Runtime": "cobol85"},
            "InvalidParameterValueException",
            "Value cobol85 at 'runtime' failed to satisfy constraint: Member must satisfy enum",
        ),
        (
            {"Role": f"arn:aws:iam::{ACCOUNT}:role/nobody"},
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        (
            {"Role": "r1"},
            "ValidationException",
            "1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: ",
        ),
    ],
    ids=["LS-082-zip", "retired", "LS-082-runtime", "G-03", "LS-082-role"],
)
def test_refused_functions(aws, settings, code, message) -> None:
    status, got, text = refusal(aws.create_function, name=unique("no"), source="x = 1", **settings)
    assert (status, got) == (400, code)
    assert text.startswith(message)


def test_a_package_cannot_leave_its_folder(tmp_path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("../above.py", "/absolute.py", "a/../../twice.py", "fine.py"):
            archive.writestr(name, "x = 1")
    unpack(buffer.getvalue(), tmp_path / "inside" / "package")
    escaped = [
        path
        for path in tmp_path.rglob("*.py")
        if tmp_path / "inside" / "package" not in path.parents
    ]
    assert escaped == []
    assert (tmp_path / "inside" / "package" / "fine.py").exists()
    assert not list(tmp_path.parent.glob("*.py"))


def test_an_environment_that_cannot_be_made_uses_up_no_concurrency(tmp_path) -> None:
    def no_credentials(_function: Function) -> dict[str, str]:
        raise LookupError("the role is gone")

    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
    function = Function(
        *(arn, "f", "$LATEST", "1", "lambda_function.lambda_handler", "python3.13", 3, 128, {}),
        *("role", ACCOUNT, REGION, "group", steps.make_package("x = 1")),
    )
    executor = Executor(tmp_path, "http://127.0.0.1:1", no_credentials, lambda _function: True)
    for _ in range(2):
        with pytest.raises(LookupError, match="the role is gone"):
            executor.invoke(function, b"{}", "id", reserved=1)
