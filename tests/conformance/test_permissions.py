"""What the role of a function allows: to the trigger, and to boto3 inside the handler."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from helpers import steps
from helpers.waiting import when_role_is_ready
from tests.conformance.kit import HEAD, poll, refusal, unique

# The event says which call to make, with boto3 as the handler finds it.
CALLS = (
    "import json, boto3\nfrom botocore.exceptions import ClientError\n" + HEAD + "    try:\n"
    "        client = boto3.client(event['service'])\n"
    "        answer = getattr(client, event['operation'])(**event['arguments'])\n"
    "    except ClientError as error:\n"
    "        status = error.response['ResponseMetadata']['HTTPStatusCode']\n"
    "        return [status, error.response['Error']['Code'], error.response['Error']['Message']]\n"
    "    answer.pop('ResponseMetadata')\n"
    "    return json.loads(json.dumps(answer, default=str))\n"
)
SHOWS = HEAD + "    print('DONE', event['Records'][0]['body'])\n"
LOGS = {
    "Effect": "Allow",
    "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
    "Resource": "*",
}
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
POLLER_ACTIONS = [
    *("sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"),
    *("sqs:DeleteMessage", "sqs:GetQueueAttributes"),
]
NO_RECEIVE = "The function execution role does not have permissions to call ReceiveMessage on SQS"

DIFFERS = {
    "G-02": "The judge is moto's policy evaluator: Condition, NotResource, the wildcard ? and "
    "policy variables have no effect. Policies of queues and functions do not count, "
    "iam:PassRole is not asked for, and calls to REST APIs other than Lambda's are not judged.",
}
UNKNOWN = {
    "G-02": "Users report the check of ReceiveMessage in these words and that of DeleteMessage "
    "in older ones; here both have the newer words. Whether AWS checks GetQueueAttributes is "
    "not known; here it does not.",
    "G-13": "How soon AWS notices a change of the role is not known, nor what the mapping shows "
    "then; here it is a second, and State and StateTransitionReason stay as they are.",
}


def allow(action: Any, resource: Any = "*", effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Caller:
    """A function whose handler makes a call with the permissions of its role."""

    def __init__(self, aws, *statements: dict[str, Any]) -> None:
        self._aws = aws
        self.role, self.role_arn = aws.new_role(*statements)
        self.name = unique("fn")
        settings = {"Role": self.role_arn, "Timeout": 30, "MemorySize": 256}
        when_role_is_ready(aws.create_function, name=self.name, source=CALLS, **settings)
        self.user = f"arn:aws:sts::{aws.account}:assumed-role/{self.role}/{self.name}"

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        """The answer, or status, code and message of the error."""
        event = {"service": service, "operation": operation, "arguments": arguments}
        answer = self._aws.invoke(self.name, event)
        assert answer.error is None, answer.payload
        return answer.value

    def not_allowed(self, action: str, resource: str) -> str:
        return self._text(
            action, resource, f"because no identity-based policy allows the {action} action"
        )

    def denied(self, action: str, resource: str) -> str:
        return self._text(action, resource, "with an explicit deny in an identity-based policy")

    def _text(self, action: str, resource: str, why: str) -> str:
        return (
            f"User: {self.user} is not authorized to perform: {action} on resource: {resource} "
            + why
        )


class World:
    """Two queues, and callers with different roles."""

    def __init__(self, aws) -> None:
        self.url, self.arn = aws.queue()
        self.other_url, self.other_arn = aws.queue()
        self.sender = Caller(
            aws,
            LOGS,
            allow("sqs:SendMessage", self.arn),
            allow("SQS:*", self.other_arn),
            allow("sqs:receivemessage", self.other_arn, effect="Deny"),
            {
                "Effect": "Allow",
                "NotAction": ["sqs:*", "iam:*", "lambda:*", "logs:*"],
                "Resource": "*",
            },
        )
        self.nobody = Caller(aws)
        for caller in (self.sender, self.nobody):
            aws.wait_active(caller.name)


@pytest.fixture(scope="module")
def world(aws) -> World:
    return World(aws)


# -- boto3 inside a handler --------------------------------------------------------------


def test_G_02_a_handler_does_what_its_role_allows(aws, world) -> None:
    sent = world.sender.call("sqs", "send_message", QueueUrl=world.url, MessageBody="hello")
    batch = [{"Id": "a", "MessageBody": "batch"}]
    answer = world.sender.call("sqs", "send_message_batch", QueueUrl=world.url, Entries=batch)
    assert answer["Successful"][0]["Id"] == "a"
    found = poll(
        lambda: aws.receive(world.url, VisibilityTimeout=0), lambda all_: len(all_) == 2, "both"
    )
    assert sent["MessageId"] in [message["MessageId"] for message in found]


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("receive_message", {}),
        ("delete_message", {"ReceiptHandle": "x"}),
        ("delete_message_batch", {"Entries": [{"Id": "a", "ReceiptHandle": "x"}]}),
        ("purge_queue", {}),
        ("get_queue_attributes", {"AttributeNames": ["All"]}),
    ],
)
def test_G_02_sqs_refuses_what_the_role_does_not_allow(world, operation, arguments) -> None:
    action = "sqs:" + operation.removesuffix("_batch").replace("_", "")
    refused = world.sender.call("sqs", operation, QueueUrl=world.url, **arguments)
    assert refused == [403, "AccessDenied", world.sender.not_allowed(action, world.arn)]


def test_G_02_names_and_lists_of_queues(aws, world) -> None:
    name = unique("queue")
    base = f"arn:aws:sqs:{aws.region}:{aws.account}"
    nobody = world.nobody
    assert nobody.call("sqs", "create_queue", QueueName=name) == [
        403,
        "AccessDenied",
        nobody.not_allowed("sqs:createqueue", f"{base}:{name}"),
    ]
    text = nobody.not_allowed("sqs:listqueues", f"{base}:")
    assert nobody.call("sqs", "list_queues") == [403, "AccessDenied", text]
    message = {"QueueUrl": world.url, "MessageBody": "x"}
    text = nobody.not_allowed("sqs:sendmessage", world.arn)
    assert nobody.call("sqs", "send_message", **message) == [403, "AccessDenied", text]


def test_G_02_an_explicit_deny_wins(world) -> None:
    sender = world.sender
    refused = sender.call("sqs", "receive_message", QueueUrl=world.other_url)
    text = sender.denied("sqs:receivemessage", world.other_arn)
    assert refused == [403, "AccessDenied", text]
    sent = sender.call("sqs", "send_message", QueueUrl=world.other_url, MessageBody="x")
    assert "MessageId" in sent


def test_G_02_the_refused_identity_is_that_of_the_role(aws, world) -> None:
    for caller in (world.sender, world.nobody):
        answer = caller.call("sts", "get_caller_identity")
        assert (answer["Arn"], answer["Account"]) == (caller.user, aws.account)


def test_G_02_lambda_refuses(aws, world) -> None:
    base = f"arn:aws:lambda:{aws.region}:{aws.account}"
    sender = world.sender
    code = "AccessDeniedException"
    invoke = sender.call("lambda", "invoke", FunctionName=sender.name, Payload="{}")
    text = sender.not_allowed("lambda:InvokeFunction", f"{base}:function:{sender.name}")
    assert invoke == [403, code, text]
    unknown = sender.call("lambda", "get_function", FunctionName="unknown", Qualifier="1")
    text = sender.not_allowed("lambda:GetFunction", f"{base}:function:unknown:1")
    assert unknown == [403, code, text]
    listed = sender.call("lambda", "list_functions")
    assert listed == [403, code, sender.not_allowed("lambda:ListFunctions", "*")]


def test_G_02_logs_refuse(aws, world) -> None:
    group = unique("group")
    arn = f"arn:aws:logs:{aws.region}:{aws.account}:log-group:{group}:log-stream:"
    refused = world.nobody.call("logs", "create_log_group", logGroupName=group)
    text = world.nobody.not_allowed("logs:CreateLogGroup", arn)
    assert refused == [400, "AccessDeniedException", text]
    assert world.sender.call("logs", "create_log_group", logGroupName=group) == {}
    aws.later(aws.logs.delete_log_group, logGroupName=group)


def test_G_02_iam_refuses(aws, world) -> None:
    nobody = world.nobody
    refused = nobody.call("iam", "get_role", RoleName=nobody.role)
    text = nobody.not_allowed("iam:GetRole", nobody.role_arn)
    assert refused == [403, "AccessDenied", text]
    name = unique("role")
    refused = nobody.call("iam", "create_role", RoleName=name, AssumeRolePolicyDocument="{}")
    arn = f"arn:aws:iam::{aws.account}:role/{name}"
    assert refused == [403, "AccessDenied", nobody.not_allowed("iam:CreateRole", arn)]


def test_G_02_a_managed_policy_and_a_permissions_boundary(aws) -> None:
    url, arn = aws.queue()
    caller = Caller(aws)
    policies = []
    for word, action in (("wide", "sqs:*"), ("narrow", "sqs:Send*")):
        made = aws.iam.create_policy(
            PolicyName=unique(word), PolicyDocument=document(allow(action))
        )["Policy"]["Arn"]
        aws.later(aws.iam.delete_policy, PolicyArn=made)
        policies.append(made)
    wide, narrow = policies
    aws.iam.attach_role_policy(RoleName=caller.role, PolicyArn=wide)
    aws.wait_active(caller.name)

    def send_and_look() -> list[Any]:
        sent = caller.call("sqs", "send_message", QueueUrl=url, MessageBody="x")
        seen = caller.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
        return ["MessageId" in sent, seen if isinstance(seen, list) else "seen"]

    poll(send_and_look, lambda seen: seen == [True, "seen"], "the managed policy to count")
    aws.iam.put_role_permissions_boundary(RoleName=caller.role, PermissionsBoundary=narrow)
    action = "sqs:getqueueattributes"
    text = (
        f"User: {caller.user} is not authorized to perform: {action} on resource: {arn} "
        f"because no permissions boundary allows the {action} action"
    )
    poll(
        send_and_look,
        lambda seen: seen == [True, [403, "AccessDenied", text]],
        "the boundary to count",
    )


def test_G_02_nothing_is_allowed_once_the_role_is_gone(aws) -> None:
    url, _ = aws.queue()
    caller = Caller(aws, allow("sqs:*"))
    aws.wait_active(caller.name)
    poll(
        lambda: caller.call("sqs", "send_message", QueueUrl=url, MessageBody="x"),
        lambda answer: "MessageId" in answer,
        "the role to be usable",
    )
    aws.delete_role(caller.role)
    poll(
        lambda: caller.call("sqs", "send_message", QueueUrl=url, MessageBody="x"),
        lambda answer: isinstance(answer, list) and answer[0] == 403,
        "the role's permissions to be gone",
    )


# -- the trigger ---------------------------------------------------------------------------


def test_LS_029_the_role_of_a_generated_stack(aws) -> None:
    url, arn = aws.queue()
    role, role_arn = aws.new_role(allow(POLLER_ACTIONS, arn))
    aws.iam.attach_role_policy(RoleName=role, PolicyArn=BASIC)
    name = aws.function(SHOWS, Role=role_arn)
    mapping = when_role_is_ready(
        aws.create_mapping, EventSourceArn=arn, FunctionName=name, BatchSize=1
    )
    assert aws.wait_mapping(mapping["UUID"], "Enabled")["BatchSize"] == 1
    aws.sqs.send_message(QueueUrl=url, MessageBody="hello")
    assert aws.wait_lines(name, 1) == ["DONE hello\n"]
    aws.wait_empty(url)


@pytest.mark.parametrize(
    ("statements", "text"),
    [
        ([], NO_RECEIVE),
        ([allow("sqs:ReceiveMessage", "arn:aws:sqs:*:*:another")], NO_RECEIVE),
        ([allow("sqs:*"), allow("sqs:Receive*", effect="Deny")], NO_RECEIVE),
        ([allow("sqs:ReceiveMessage")], NO_RECEIVE.replace("Receive", "Delete")),
    ],
    ids=["nothing", "another queue", "denied", "no DeleteMessage"],
)
def test_G_02_a_role_without_permission_gets_no_trigger(aws, statements, text) -> None:
    _, role_arn = aws.new_role(*statements)
    name = aws.function(SHOWS, Role=role_arn)
    _, arn = aws.queue()
    refused = refusal(
        aws.lambda_.create_event_source_mapping, EventSourceArn=arn, FunctionName=name
    )
    assert refused == (400, "InvalidParameterValueException", text)


def test_G_02_a_role_that_may_not_send_gets_no_dead_letter_queue(aws) -> None:
    _, arn = aws.queue()
    role, role_arn = aws.new_role(LOGS)
    name = aws.function(SHOWS, Role=role_arn)
    change = {"FunctionName": name, "DeadLetterConfig": {"TargetArn": arn}}
    text = "The provided execution role does not have permissions to call SendMessage on SQS"
    refused = refusal(aws.lambda_.update_function_configuration, **change)
    assert refused == (400, "InvalidParameterValueException", text)
    policy = document(LOGS, allow("sqs:SendMessage", arn))
    aws.iam.put_role_policy(RoleName=role, PolicyName="inline", PolicyDocument=policy)
    answer = when_role_is_ready(aws.lambda_.update_function_configuration, **change)
    assert answer["DeadLetterConfig"] == {"TargetArn": arn}


def test_G_13_the_flow_stops_without_ReceiveMessage_and_goes_on_with_it(aws) -> None:
    url, arn = aws.queue()
    everything = document(LOGS, allow("sqs:*", arn))
    role, role_arn = aws.new_role(LOGS, allow("sqs:*", arn))
    name = aws.function(SHOWS, Role=role_arn)
    mapping = when_role_is_ready(aws.create_mapping, EventSourceArn=arn, FunctionName=name)
    aws.wait_mapping(mapping["UUID"], "Enabled")
    change = {"RoleName": role, "PolicyName": "inline"}
    aws.iam.put_role_policy(
        **change, PolicyDocument=document(LOGS, allow("sqs:DeleteMessage", arn))
    )
    time.sleep(2)  # until the change is known
    aws.sqs.send_message(QueueUrl=url, MessageBody="stuck")
    time.sleep(1.5)
    assert steps.queue_counts(aws.sqs, url) == {"visible": 1, "in flight": 0, "delayed": 0}
    seen = aws.lambda_.get_event_source_mapping(UUID=mapping["UUID"])
    assert (seen["State"], seen["StateTransitionReason"]) == ("Enabled", "USER_INITIATED")
    aws.iam.put_role_policy(**change, PolicyDocument=everything)
    assert aws.wait_lines(name, 1) == ["DONE stuck\n"]
    aws.wait_empty(url)


def test_G_13_without_DeleteMessage_messages_come_back(aws) -> None:
    url, arn = aws.queue(VisibilityTimeout=1)
    role, role_arn = aws.new_role(LOGS, allow("sqs:*", arn))
    name = aws.function(SHOWS, Role=role_arn, Timeout=1)
    when_role_is_ready(aws.create_mapping, EventSourceArn=arn, FunctionName=name)
    change = {"RoleName": role, "PolicyName": "inline"}
    receive = allow(["sqs:ReceiveMessage", "sqs:GetQueueAttributes"], arn)
    aws.iam.put_role_policy(**change, PolicyDocument=document(LOGS, receive))
    aws.sqs.send_message(QueueUrl=url, MessageBody="again")
    assert set(aws.wait_lines(name, 3)) == {"DONE again\n"}
    aws.iam.put_role_policy(**change, PolicyDocument=document(LOGS, allow("sqs:*", arn)))
    aws.wait_empty(url)
