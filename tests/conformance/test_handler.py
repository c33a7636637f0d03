"""What a handler sees: context, environment variables, identity."""

from __future__ import annotations

import base64
import json
import re

from tests.conformance.kit import HEAD, Declared

CONTEXT = Declared(
    HEAD + "    return {**{k: getattr(context, k) for k in ('function_name', 'function_version',"
    " 'invoked_function_arn', 'memory_limit_in_mb', 'aws_request_id', 'log_group_name',"
    " 'log_stream_name')}, 'left': context.get_remaining_time_in_millis(),"
    " 'client': context.client_context and context.client_context.custom}\n",
)
ENVIRONMENT = Declared(
    "import os\n" + HEAD + "    return dict(os.environ)\n",
    MemorySize=1024,
    Environment={"Variables": {"COLOUR": "blue"}},
)
IDENTITY = Declared(
    "import boto3, os\n" + HEAD + "    return boto3.client('sts').get_caller_identity()['Arn']\n",
    Timeout=20,
    MemorySize=256,
)

DIFFERS = {
    "LS-044": "AWS_ENDPOINT_URL, HOME, TMPDIR and the variables that keep boto3 from this "
    "computer's credentials are there too, so that boto3 in a handler reaches the local AWS",
    "LS-089": "(b) user, working directory and file modes are your computer's",
}


def test_LS_043_LS_050_context(aws) -> None:
    answer = aws.invoke(CONTEXT.name)
    seen = answer.value
    left, stream = seen.pop("left"), seen.pop("log_stream_name")
    assert seen == {
        "function_name": CONTEXT.name,
        "function_version": "$LATEST",
        "invoked_function_arn": f"arn:aws:lambda:{aws.region}:{aws.account}:function:"
        + CONTEXT.name,
        "memory_limit_in_mb": "128",
        "aws_request_id": answer.request_id,
        "log_group_name": f"/aws/lambda/{CONTEXT.name}",
        "client": None,
    }
    assert 0 < left <= 3000
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)


def test_LS_043_qualifier_and_client_context(aws) -> None:
    client = base64.b64encode(json.dumps({"custom": {"who": "me"}}).encode()).decode()
    seen = aws.invoke(CONTEXT.name, Qualifier="$LATEST", ClientContext=client).value
    assert seen["invoked_function_arn"].endswith(f":{CONTEXT.name}:$LATEST")
    assert seen["client"] == {"who": "me"}


def test_LS_044_environment_variables(aws) -> None:
    seen = aws.invoke(ENVIRONMENT.name).value
    expected = {
        "COLOUR": "blue",
        "AWS_REGION": aws.region,
        "AWS_DEFAULT_REGION": aws.region,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_NAME": ENVIRONMENT.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{ENVIRONMENT.name}",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "PYTHONPATH": "/var/runtime",
        "PWD": "/var/task",
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        "_HANDLER": "lambda_function.lambda_handler",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    }
    assert {name: seen.get(name) for name in expected} == expected
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert seen["AWS_SECRET_ACCESS_KEY"]
    assert seen["AWS_SESSION_TOKEN"]
    assert seen["AWS_LAMBDA_RUNTIME_API"].endswith(":9001")
    assert seen["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    assert "AWS_XRAY_DAEMON_ADDRESS" in seen
    assert "AWS_LAMBDA_LOG_STREAM_NAME" in seen
    assert "AWS_LAMBDA_FUNCTION_TIMEOUT" not in seen


def test_LS_089_boto3_in_a_handler_is_the_role(aws) -> None:
    assert aws.invoke(IDENTITY.name).value == (
        f"arn:aws:sts::{aws.account}:assumed-role/{aws.role_name}/{IDENTITY.name}"
    )


def test_LS_089_a_name_of_one_character(aws) -> None:
    aws.create_function("x", IDENTITY.source, Timeout=20, MemorySize=256)
    aws.wait_active("x")
    assert aws.invoke("x").value == (
        f"arn:aws:sts::{aws.account}:assumed-role/{aws.role_name}/x@lambda_function"
    )
