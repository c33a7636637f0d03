"""Further recorded behaviour, and what a handler must not see of this machine."""

from __future__ import annotations

import base64
import json
import threading

import pytest

from helpers import steps
from helpers.localaws.records import matches
from tests.conformance.kit import REGION, Aws, Declared, Scenario, poll, refusal, unique
from tests.localaws.kit import POSIX, kill_hard, own_server, wait_gone

ACCOUNT = "123456789012"
HEAD = "def lambda_handler(event, context):\n"
EXPECTED_VARIABLES = {
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"),
    *("AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME"),
    *("AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
    *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME"),
    *("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT"),
    *("LAMBDA_RUNTIME_DIR", "PYTHONPATH", "PWD", "TZ", "LANG", "PATH", "_HANDLER"),
    *("_X_AMZN_TRACE_ID", "AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS"),
}
LOCAL_VARIABLES = {
    *("AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
    *("AWS_EC2_METADATA_DISABLED", "HOME", "TMPDIR"),
}
# Not ours: Python, macOS and Windows add these to a process.
ADDED_BY_SYSTEM = {"LC_CTYPE", "__CF_USER_TEXT_ENCODING", "SYSTEMROOT", "TEMP", "USERPROFILE"}

ENVIRONMENT = "import os\n" + HEAD + "    return dict(os.environ)\n"
HOME_AND_SESSION = (
    "import os, boto3\n" + HEAD + "    session = boto3.Session()\n"
    "    return {'profiles': session.available_profiles, 'home': os.path.expanduser('~'),\n"
    "        'key': session.get_credentials().access_key, 'environment': dict(os.environ)}\n"
)
SHOWS_ENVIRONMENT = Declared(ENVIRONMENT)
CONTEXT = Declared(
    HEAD + "    return {'arn': context.invoked_function_arn, 'stream': context.log_stream_name,\n"
    "        'client': context.client_context and context.client_context.custom}\n"
)
KEEPS_A_FILE = Declared(
    "import os, tempfile, time\nPATH = os.path.join(tempfile.gettempdir(), 'kept')\n"
    + HEAD
    + "    if event == 'write':\n        open(PATH, 'w').write('kept')\n        time.sleep(30)\n"
    "    return os.path.exists(PATH) and open(PATH).read()\n",
    Timeout=1,
)
PID = Declared("import os\n" + HEAD + "    return os.getpid()\n")
WAITS = Declared(
    "import os, time\n" + HEAD + "    print('began')\n"
    "    while not os.path.exists(event['until']):\n        time.sleep(0.02)\n    return 'done'\n",
    Timeout=30,
)
PARALLEL = Declared(WAITS.source, Timeout=30)
NO_DOT = Declared(HEAD + "    pass\n", Handler="lambda_handler")
FAILS_AT_IMPORT = Declared("raise ValueError('at import')\n" + HEAD + "    pass\n")
UPDATED = Declared(HEAD + "    return 'before'\n")

WHOLE_BATCH = Scenario(
    HEAD + "    show(event)\n    raise ValueError('poison')\n",
    ["poison", "healthy"],
    visibility=1,
    max_receives=2,
    FunctionResponseTypes=["ReportBatchItemFailures"],
)
DISABLED = Scenario(HEAD + "    show(event)\n", Enabled=False)


# -- the executor --------------------------------------------------------------------------


def test_LS_044_environment_variables_are_AWSs_list(aws):
    seen = aws.invoke(SHOWS_ENVIRONMENT.name).value
    assert set(seen) >= EXPECTED_VARIABLES
    assert set(seen) - EXPECTED_VARIABLES - ADDED_BY_SYSTEM == LOCAL_VARIABLES


def test_nothing_of_this_machines_aws_setup_reaches_a_handler(tmp_path):
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    secrets = "aws_access_key_id = AKIAMACHINE\naws_secret_access_key = machine-secret\n"
    (home / ".aws" / "credentials").write_text(f"[default]\n{secrets}[machine]\n{secrets}")
    (home / ".aws" / "config").write_text("[profile machine]\nregion = eu-west-3\n")
    machine = {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "AWS_PROFILE": "machine",
        "AWS_ACCESS_KEY_ID": "AKIAMACHINE",
        "AWS_SECRET_ACCESS_KEY": "machine-secret",
        "PYTHONSTARTUP": "/machine/startup.py",
        "MACHINE_SECRET": "machine-secret",
    }
    with own_server(tmp_path / "folder", **machine) as url:
        aws = Aws(url)
        answer = aws.invoke(aws.function(HOME_AND_SESSION, Timeout=20))
    assert answer.error is None
    assert answer.value["profiles"] == []
    assert answer.value["key"].startswith("ASIA")
    assert answer.value["home"] != str(home)
    for word in ("AKIAMACHINE", "machine-secret", "/machine/startup.py", "AWS_PROFILE", str(home)):
        assert word not in answer.payload.decode()


def test_LS_043_qualifier_client_context_and_log_stream(aws):
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{CONTEXT.name}"
    plain = aws.invoke(CONTEXT.name).value
    assert (plain["arn"], plain["client"]) == (arn, None)
    assert {event["logStreamName"] for event in aws.log_events(CONTEXT.name)} == {plain["stream"]}
    client = base64.b64encode(json.dumps({"custom": {"who": "me"}}).encode()).decode()
    qualified = aws.invoke(CONTEXT.name, Qualifier="$LATEST", ClientContext=client).value
    assert (qualified["arn"], qualified["client"]) == (f"{arn}:$LATEST", {"who": "me"})


def test_LS_040_a_temporary_file_survives_a_time_out(aws):
    assert aws.invoke(KEEPS_A_FILE.name, "read").value is False
    assert aws.invoke(KEEPS_A_FILE.name, "write").value["errorType"] == "Sandbox.Timedout"
    assert aws.invoke(KEEPS_A_FILE.name, "read").value == "kept"


@pytest.mark.skipif(not POSIX, reason="kills a process by signal")
def test_a_worker_killed_while_idle_is_replaced(aws):
    pid = aws.invoke(PID.name).value
    kill_hard(pid)
    wait_gone(pid, "the worker")
    again = aws.invoke(PID.name)
    assert again.error is None
    assert again.value != pid


def test_LS_045_reserved_concurrency_exhausted(aws, tmp_path):
    until = tmp_path / "until"
    aws.lambda_.put_function_concurrency(FunctionName=WAITS.name, ReservedConcurrentExecutions=1)
    aws.invoke(WAITS.name, {"until": str(until)}, InvocationType="Event")
    poll(lambda: aws.own_lines(WAITS.name), lambda lines: "began\n" in lines, "the first event")
    with pytest.raises(aws.lambda_.exceptions.TooManyRequestsException) as raised:
        aws.invoke(WAITS.name, {"until": str(until)})
    until.touch()
    response = raised.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert response["Error"]["Message"] == "Rate Exceeded."
    assert response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert response["Type"] == "User"


def test_LS_090_invocations_at_once_have_environments_of_their_own(aws, tmp_path):
    until = tmp_path / "until"
    threads = [
        threading.Thread(target=aws.invoke, args=[PARALLEL.name, {"until": str(until)}])
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    poll(lambda: aws.own_lines(PARALLEL.name), lambda lines: len(lines) == 2, "both to run")
    until.touch()
    for thread in threads:
        thread.join(20)
    assert len({event["logStreamName"] for event in aws.log_events(PARALLEL.name)}) == 2


def test_G_11_malformed_handler(aws):
    answer = aws.invoke(NO_DOT.name)
    assert answer.value["errorType"] == "Runtime.MalformedHandlerName"
    assert answer.value["errorMessage"].startswith("Bad handler 'lambda_handler': ")


def test_LS_037_an_error_at_import_shows_the_paths_of_AWS(aws):
    value = aws.invoke(FAILS_AT_IMPORT.name).value
    assert list(value) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert (value["errorMessage"], value["errorType"]) == ("at import", "ValueError")
    assert value["requestId"] == ""
    assert value["stackTrace"][0].startswith(
        '  File "/var/lang/lib/python3.13/importlib/__init__.py", line '
    )
    assert value["stackTrace"][-1] == (
        '  File "/var/task/lambda_function.py", line 1, in <module>\n'
        "    raise ValueError('at import')\n"
    )


# -- functions -----------------------------------------------------------------------------


def test_LS_031_LS_032_a_code_update_is_in_progress_then_successful(aws):
    before = aws.lambda_.get_function_configuration(FunctionName=UPDATED.name)
    assert before["LastUpdateStatus"] == "Successful"
    assert not {"StateReason", "StateReasonCode", "LastUpdateStatusReason"} & set(before)
    answer = aws.lambda_.update_function_code(
        FunctionName=UPDATED.name, ZipFile=steps.make_package(HEAD + "    return 'after'\n")
    )
    assert (answer["State"], answer["LastUpdateStatus"]) == ("Active", "InProgress")
    assert answer["LastUpdateStatusReason"] == "The function is being created."
    assert answer["LastUpdateStatusReasonCode"] == "Creating"
    assert answer["CodeSha256"] == steps.package_hash(HEAD + "    return 'after'\n")
    assert answer["CodeSha256"] != before["CodeSha256"]
    assert answer["RevisionId"] != before["RevisionId"]
    now = poll(
        lambda: aws.lambda_.get_function_configuration(FunctionName=UPDATED.name),
        lambda config: config["LastUpdateStatus"] != "InProgress",
        "the update",
    )
    assert now["LastUpdateStatus"] == "Successful"
    assert "LastUpdateStatusReason" not in now
    assert aws.invoke(UPDATED.name).value == "after"


def test_LS_042_get_function_names_no_version(aws):
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:nope"
    assert refusal(aws.lambda_.get_function, FunctionName="nope") == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {arn}",
    )


def test_G_03_a_role_that_trusts_another_service(aws):
    policy = json.dumps(steps.TRUST_POLICY).replace("lambda.", "ec2.")
    role = aws.iam.create_role(RoleName=unique("ec2"), AssumeRolePolicyDocument=policy)["Role"]
    assert refusal(aws.create_function, name=unique("fn"), source="x = 1", Role=role["Arn"]) == (
        400,
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    )


# -- triggers ------------------------------------------------------------------------------


def test_LS_008_an_exception_fails_the_whole_batch(aws):
    dead: dict[str, str] = {}

    def look() -> set[str]:
        for message in aws.receive(WHOLE_BATCH.dlq_url):
            dead[message["MessageId"]] = message["Body"]
        return set(dead.values())

    poll(look, lambda found: len(found) == 2, "both messages in the DLQ")
    assert sorted(dead.values()) == ["healthy", "poison"]


def test_H1_motos_own_trigger_takes_no_message(aws):
    aws.sqs.send_message(QueueUrl=DISABLED.url, MessageBody="mine")
    (message,) = aws.receive(DISABLED.url)
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert aws.log(DISABLED.function.name) == []


def test_LS_027_LS_028_a_fifo_group_is_handled_in_order_by_one_environment(aws):
    url, arn = aws.queue(unique("q") + ".fifo", FifoQueue="true", ContentBasedDeduplication="true")
    name = aws.function("import json\n" + HEAD + "    print(json.dumps(event))\n", Timeout=5)
    sent = [
        aws.sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")["SequenceNumber"]
        for body in "abcde"
    ]
    aws.lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName=name, BatchSize=1)
    lines = poll(lambda: aws.own_lines(name), lambda lines: len(lines) == 5, "five events")
    records = [json.loads(line)["Records"][0] for line in lines]
    assert [record["body"] for record in records] == list("abcde")
    assert [record["attributes"]["SequenceNumber"] for record in records] == sent
    assert {record["attributes"]["MessageGroupId"] for record in records} == {"g"}
    assert all(len(record["attributes"]["MessageDeduplicationId"]) == 64 for record in records)
    assert len({event["logStreamName"] for event in aws.log_events(name)}) == 1


@pytest.mark.parametrize(
    ("pattern", "passes", "fails"),
    [
        ({"a": ["x"]}, {"a": "x"}, {"a": "y"}),
        ({"a": ["x", "y"]}, {"a": "y"}, {"a": "z"}),
        ({"a": ["x"], "b": ["y"]}, {"a": "x", "b": "y"}, {"a": "x"}),
        ({"a": [{"exists": True}]}, {"a": "x"}, {"b": "x"}),
        ({"n": [{"numeric": [">", 100]}]}, {"n": 101}, {"n": 100}),
        ({"n": [{"numeric": ["<", 100]}]}, {"n": 99}, {"n": 100}),
        ({"n": [{"numeric": [">=", 100, "<", 200]}]}, {"n": 100}, {"n": 200}),
        ({"a": [{"prefix": "us-"}]}, {"a": "us-1"}, {"a": "eu-1"}),
    ],
    ids=["value", "or", "and", "exists", "above", "below", "between", "prefix"],
)
def test_LS_023_filters(pattern, passes, fails):
    patterns = [json.dumps({"body": pattern})]
    assert matches({"body": json.dumps(passes)}, patterns)
    assert not matches({"body": json.dumps(fails)}, patterns)


def test_LS_023_one_of_several_filters_is_enough():
    patterns = [json.dumps({"body": {"a": [word]}}) for word in ("x", "y")]
    assert matches({"body": '{"a": "y"}'}, patterns)
    assert not matches({"body": '{"a": "z"}'}, patterns)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:sqs:us-east-1:1:d"}}},
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        ({"StartingPosition": "LATEST"}, "StartingPosition is not valid for SQS event sources."),
    ],
    ids=["LS-019", "G-06"],
)
def test_settings_that_a_queue_does_not_have(aws, arguments, message):
    assert refusal(
        aws.lambda_.create_event_source_mapping,
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:nope",
        FunctionName="nope",
        **arguments,
    ) == (400, "InvalidParameterValueException", message)
