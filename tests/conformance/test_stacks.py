"""CloudFormation: stacks of queues, functions, triggers and roles; change sets; SAM."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance import kit
from tests.conformance.kit import poll, refusal, unique

DIFFERS = {
    "CF-004": "Resources are made one after the other, where AWS makes those at once that do not "
    "need each other; so no event says that a creation was cancelled",
}
SAM = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
PATIENCE = 3  # times that of other waits: on AWS a stack with a trigger takes a minute or two

PIPELINE = """
AWSTemplateFormatVersion: 2010-09-09
Description: A queue and what handles its messages
Parameters:
  Greeting: {Type: String, Default: hello}
  Batch: {Type: Number, Default: 5}
Resources:
  Dead:
    Type: AWS::SQS::Queue
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 30
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt Dead.Arn
        maxReceiveCount: 3
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
      ManagedPolicyArns:
        - !Sub arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Timeout: 5
      MemorySize: 256
      Environment: {Variables: {GREETING: !Ref Greeting}}
      Tags: [{Key: own, Value: tag}]
      Code:
        ZipFile: |
          import os
          def handler(event, context):
              print(os.environ["GREETING"], event["Records"][0]["body"])
  Trigger:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Queue.Arn
      FunctionName: !Ref Function
      BatchSize: !Ref Batch
      FunctionResponseTypes: [ReportBatchItemFailures]
Outputs:
  Url: {Value: !Ref Queue}
  Function: {Value: !Ref Function, Description: Its name}
"""
SERVERLESS = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.13, Timeout: 5}
Resources:
  Queue:
    Type: AWS::SQS::Queue
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            print("seen", event["Records"][0]["body"])
      AutoPublishAlias: live
      Policies:
        - SQSPollerPolicy: {QueueName: !GetAtt Queue.QueueName}
      Events:
        Messages:
          Type: SQS
          Properties: {Queue: !GetAtt Queue.Arn, BatchSize: 3}
Outputs:
  Url: {Value: !Ref Queue}
  Function: {Value: !Ref Worker}
"""


def wait(look: Any, done: Any, what: str) -> Any:
    return poll(look, done, what, PATIENCE * kit.patience_s)


class Stacks:
    """Stacks of one endpoint; those that a module has made are deleted after it."""

    def __init__(self, aws: Any) -> None:
        self.client = aws.client("cloudformation")
        self.names: list[str] = []

    def create(self, template: str, name: str = "", wait: bool = True, **more: Any) -> str:
        """Make a stack, and wait for what becomes of it. Returns its name."""
        name = name or unique("stack")
        self.client.create_stack(StackName=name, TemplateBody=template, **more)
        self.names.append(name)
        if wait:
            self.settled(name)
        return name

    def update(self, name: str, template: str, **more: Any) -> str:
        """Update a stack, and wait. Returns its status."""
        self.client.update_stack(StackName=name, TemplateBody=template, **more)
        return self.settled(name)

    def delete(self, name: str) -> None:
        self.client.delete_stack(StackName=name)
        wait(lambda: self.gone(name), bool, f"{name} to be gone")

    def about(self, name: str) -> dict[str, Any]:
        return self.client.describe_stacks(StackName=name)["Stacks"][0]

    def gone(self, name: str) -> bool:
        return name not in [stack["StackName"] for stack in self.client.describe_stacks()["Stacks"]]

    def status(self, name: str) -> str:
        return self.about(name)["StackStatus"]

    def settled(self, name: str) -> str:
        ended: Callable[[str], bool] = lambda status: not status.endswith("_IN_PROGRESS")  # noqa: E731
        return wait(lambda: self.status(name), ended, f"{name} to settle")

    def outputs(self, name: str) -> dict[str, str]:
        return {o["OutputKey"]: o["OutputValue"] for o in self.about(name).get("Outputs", [])}

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """Logical id, status and reason of what has happened, the oldest first."""
        answer = self.client.describe_stack_events(StackName=name)["StackEvents"]
        return [
            (e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", ""))
            for e in reversed(answer)
        ]

    def physical(self, name: str, resource: str) -> str:
        found = self.client.describe_stack_resource(StackName=name, LogicalResourceId=resource)
        return found["StackResourceDetail"]["PhysicalResourceId"]


@pytest.fixture(scope="module")
def stacks(aws) -> Iterator[Stacks]:
    made = Stacks(aws)
    yield made
    for name in made.names:
        with suppress(ClientError):
            made.client.delete_stack(StackName=name)


@pytest.fixture(scope="module")
def serverless(stacks) -> str:
    """A stack from a SAM template, on its way."""
    return stacks.create(SERVERLESS, wait=False, Capabilities=SAM)


@pytest.fixture(scope="module")
def pipeline(stacks, serverless) -> str:
    tags = [{"Key": "team", "Value": "blue"}]
    return stacks.create(PIPELINE, Capabilities=["CAPABILITY_IAM"], Tags=tags)


def queue(**properties: Any) -> str:
    return json.dumps({"Resources": {"Queue": resource("AWS::SQS::Queue", **properties)}})


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


# -- a pipeline ------------------------------------------------------------------------------


def test_CF_001_a_pipeline_handles_a_message(aws, stacks, pipeline) -> None:
    outputs = stacks.outputs(pipeline)
    aws.later(aws.logs.delete_log_group, logGroupName=f"/aws/lambda/{outputs['Function']}")
    aws.sqs.send_message(QueueUrl=outputs["Url"], MessageBody="one")
    assert aws.wait_lines(outputs["Function"], 1) == ["hello one\n"]


def test_CF_001_what_the_stack_says_of_itself(stacks, pipeline) -> None:
    about = stacks.about(pipeline)
    assert about["StackStatus"] == "CREATE_COMPLETE"
    assert about["Description"] == "A queue and what handles its messages"
    assert about["Parameters"] == [
        {"ParameterKey": "Greeting", "ParameterValue": "hello"},
        {"ParameterKey": "Batch", "ParameterValue": "5"},
    ]
    assert about["Outputs"][1]["Description"] == "Its name"
    assert about["Capabilities"] == ["CAPABILITY_IAM"]
    assert about["StackId"].split(":stack/")[1].startswith(f"{pipeline}/")


def test_CF_002_a_queue_has_its_attributes(aws, stacks, pipeline) -> None:
    url = stacks.physical(pipeline, "Queue")
    assert url == stacks.outputs(pipeline)["Url"]
    found = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    policy = json.loads(found["RedrivePolicy"])
    assert found["VisibilityTimeout"] == "30"
    assert policy["deadLetterTargetArn"].rpartition("-")[0].endswith(f":{pipeline}-Dead")
    assert policy["maxReceiveCount"] == 3


def test_CF_002_a_fifo_queue_and_a_queue_policy(aws, stacks) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    fifo = {"FifoQueue": True, "ContentBasedDeduplication": "true"}
    name = stacks.create(
        json.dumps(
            {
                "Resources": {
                    "Queue": resource("AWS::SQS::Queue", **fifo),
                    "Policy": resource(
                        "AWS::SQS::QueuePolicy", PolicyDocument=policy, Queues=[{"Ref": "Queue"}]
                    ),
                }
            }
        )
    )
    url = stacks.physical(name, "Queue")
    found = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert re.search(rf"/{name}-Queue-\w{{12}}\.fifo$", url)
    assert (found["FifoQueue"], found["ContentBasedDeduplication"]) == ("true", "true")
    assert json.loads(found["Policy"])["Statement"] == [statement]


def test_CF_003_names_are_made_up(stacks, pipeline) -> None:
    for logical in ("Role", "Function", "Dead"):
        assert re.search(rf"{pipeline}-{logical}-\w{{12}}$", stacks.physical(pipeline, logical))


def test_CF_004_the_events_of_a_creation(stacks, pipeline) -> None:
    events = stacks.events(pipeline)
    assert events[0] == (pipeline, "CREATE_IN_PROGRESS", "User Initiated")
    assert events[-1] == (pipeline, "CREATE_COMPLETE", "")
    assert [event[1:] for event in events if event[0] == "Trigger"] == [
        ("CREATE_IN_PROGRESS", ""),
        ("CREATE_IN_PROGRESS", "Resource creation Initiated"),
        ("CREATE_COMPLETE", ""),
    ]
    at = [name for name, status, _ in events if status == "CREATE_COMPLETE"]
    assert at.index("Dead") < at.index("Queue") < at.index("Trigger")
    assert at.index("Role") < at.index("Function") < at.index("Trigger")


def test_CF_017_tags_of_the_stack_and_its_resources(aws, stacks, pipeline) -> None:
    about = stacks.about(pipeline)
    function = aws.lambda_.get_function(FunctionName=stacks.physical(pipeline, "Function"))
    assert function["Tags"] == {
        "own": "tag",
        "team": "blue",
        "aws:cloudformation:stack-name": pipeline,
        "aws:cloudformation:stack-id": about["StackId"],
        "aws:cloudformation:logical-id": "Function",
    }
    # Queues and roles get the stack's own tags only.
    url = stacks.physical(pipeline, "Queue")
    assert aws.sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "blue"}
    role = stacks.physical(pipeline, "Role")
    assert aws.iam.list_role_tags(RoleName=role)["Tags"] == about["Tags"]


def test_CF_006_nothing_to_update(stacks, pipeline) -> None:
    tags = [{"Key": "team", "Value": "blue"}]
    given = {"StackName": pipeline, "TemplateBody": PIPELINE, "Capabilities": ["CAPABILITY_IAM"]}
    assert refusal(stacks.client.update_stack, Tags=tags, **given) == (
        400,
        "ValidationError",
        "No updates are to be performed.",
    )


def test_CF_009_a_change_set_says_what_it_would_change(stacks, pipeline) -> None:
    name = unique("set")
    stacks.client.create_change_set(
        StackName=pipeline,
        ChangeSetName=name,
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": "Batch", "ParameterValue": "4"},
            {"ParameterKey": "Greeting", "UsePreviousValue": True},
        ],
    )
    found = described(stacks, pipeline, name)
    (change,) = [each["ResourceChange"] for each in found["Changes"]]
    (detail,) = change["Details"]
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert (change["Action"], change["LogicalResourceId"]) == ("Modify", "Trigger")
    assert change["Replacement"] == "False"
    assert detail["Target"]["Name"] == "BatchSize"


def described(stacks: Stacks, stack: str, change_set: str) -> dict[str, Any]:
    return poll(
        lambda: stacks.client.describe_change_set(StackName=stack, ChangeSetName=change_set),
        lambda found: not found["Status"].endswith(("_PENDING", "_IN_PROGRESS")),
        "the change set",
    )


def test_CF_018_a_serverless_function_handles_a_message(aws, stacks, serverless) -> None:
    assert stacks.settled(serverless) == "CREATE_COMPLETE"
    outputs = stacks.outputs(serverless)
    aws.later(aws.logs.delete_log_group, logGroupName=f"/aws/lambda/{outputs['Function']}")
    aws.sqs.send_message(QueueUrl=outputs["Url"], MessageBody="two")
    assert aws.wait_lines(outputs["Function"], 1) == ["seen two\n"]


def test_CF_018_what_a_serverless_function_stands_for(stacks, serverless) -> None:
    stacks.settled(serverless)
    found = stacks.client.describe_stack_resources(StackName=serverless)["StackResources"]
    kinds = {each["LogicalResourceId"]: each["ResourceType"] for each in found}
    version = next(name for name in kinds if name.startswith("WorkerVersion"))
    assert kinds == {
        "Queue": "AWS::SQS::Queue",
        "Worker": "AWS::Lambda::Function",
        "WorkerRole": "AWS::IAM::Role",
        "WorkerMessages": "AWS::Lambda::EventSourceMapping",
        "WorkerAliaslive": "AWS::Lambda::Alias",
        version: "AWS::Lambda::Version",
    }


def test_CF_005_an_update_in_place_and_by_another_resource(aws, stacks, pipeline) -> None:
    before = {each: stacks.physical(pipeline, each) for each in ("Queue", "Function", "Trigger")}
    changed = PIPELINE.replace("VisibilityTimeout: 30", f"QueueName: {unique('new')}").replace(
        "print(os", 'print("new", os'
    )
    parameters = [{"ParameterKey": "Greeting", "ParameterValue": "bye"}]
    status = stacks.update(
        pipeline, changed, Capabilities=["CAPABILITY_IAM"], Parameters=parameters
    )
    after = {each: stacks.physical(pipeline, each) for each in before}
    assert status == "UPDATE_COMPLETE"
    assert after["Function"] == before["Function"]
    assert after["Queue"] != before["Queue"]
    assert after["Trigger"] != before["Trigger"]
    assert before["Queue"] not in aws.sqs.list_queues().get("QueueUrls", [])
    aws.sqs.send_message(QueueUrl=after["Queue"], MessageBody="three")
    assert poll(
        lambda: aws.own_lines(after["Function"]), lambda lines: "new bye three\n" in lines, "it"
    )


@pytest.mark.at_end
def test_CF_008_a_failed_update_is_taken_back(aws, stacks, pipeline) -> None:
    function = stacks.physical(pipeline, "Function")
    before = aws.lambda_.get_function_configuration(FunctionName=function)
    parameters = [
        {"ParameterKey": "Greeting", "ParameterValue": "never"},
        {"ParameterKey": "Batch", "ParameterValue": "50"},
    ]
    stacks.client.update_stack(
        StackName=pipeline,
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=parameters,
    )
    assert stacks.settled(pipeline) == "UPDATE_ROLLBACK_COMPLETE"
    events = stacks.events(pipeline)
    reason = next(text for name, status, text in events if status == "UPDATE_FAILED")
    assert "Maximum batch window in seconds must be greater than 0" in reason
    assert "HandlerErrorCode: InvalidRequest" in reason
    assert (
        pipeline,
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "The following resource(s) failed to update: [Trigger]. ",
    ) in events
    after = aws.lambda_.get_function_configuration(FunctionName=function)
    assert after["Environment"] == before["Environment"]
    parameters = {
        p["ParameterKey"]: p["ParameterValue"] for p in stacks.about(pipeline)["Parameters"]
    }
    assert parameters["Batch"] == "5"


@pytest.mark.at_end
def test_CF_001_nothing_is_left_of_a_deleted_stack(aws, stacks, pipeline) -> None:
    names = {
        each: stacks.physical(pipeline, each) for each in ("Queue", "Function", "Role", "Trigger")
    }
    identity = stacks.about(pipeline)["StackId"]
    stacks.delete(pipeline)
    assert stacks.about(identity)["StackStatus"] == "DELETE_COMPLETE"
    for call, arguments in (
        (aws.lambda_.get_event_source_mapping, {"UUID": names["Trigger"]}),
        (aws.lambda_.get_function, {"FunctionName": names["Function"]}),
        (aws.iam.get_role, {"RoleName": names["Role"]}),
    ):
        assert refusal(call, **arguments)[0] == 404
    assert refusal(aws.sqs.get_queue_attributes, QueueUrl=names["Queue"])[0] == 400


# -- small stacks ------------------------------------------------------------------------------


def test_CF_007_a_failed_creation_is_taken_back(aws, stacks) -> None:
    policy = {"deadLetterTargetArn": "nonsense", "maxReceiveCount": 3}
    template = {
        "Resources": {
            "Good": resource("AWS::SQS::Queue"),
            "Bad": {**resource("AWS::SQS::Queue", RedrivePolicy=policy), "DependsOn": "Good"},
        }
    }
    name = stacks.create(json.dumps(template))
    assert stacks.status(name) == "ROLLBACK_COMPLETE"
    events = stacks.events(name)
    assert (
        name,
        "ROLLBACK_IN_PROGRESS",
        "The following resource(s) failed to create: [Bad]. Rollback requested by user.",
    ) in events
    assert ("Good", "DELETE_COMPLETE", "") in events
    reason = next(text for _, status, text in events if status == "CREATE_FAILED")
    assert reason.startswith('Resource handler returned message: "Value ')
    assert f"/{name}-" not in str(aws.sqs.list_queues())
    identity = stacks.about(name)["StackId"]
    assert refusal(stacks.client.update_stack, StackName=name, TemplateBody=queue()) == (
        400,
        "ValidationError",
        f"Stack:{identity} is in ROLLBACK_COMPLETE state and can not be updated.",
    )


def test_CF_007_without_a_rollback_what_was_made_stays(stacks) -> None:
    template = {
        "Resources": {
            "Good": resource("AWS::SQS::Queue"),
            "Bad": {**resource("AWS::SQS::Queue", VisibilityTimeout=99999), "DependsOn": "Good"},
        }
    }
    name = stacks.create(json.dumps(template), DisableRollback=True)
    about = stacks.about(name)
    assert about["StackStatus"] == "CREATE_FAILED"
    assert about["StackStatusReason"].startswith(
        "The following resource(s) failed to create: [Bad]."
    )
    assert stacks.physical(name, "Good")


def test_CF_007_a_stack_that_is_to_vanish_if_it_fails(stacks) -> None:
    name = stacks.create(queue(VisibilityTimeout=99999), wait=False, OnFailure="DELETE")
    assert poll(lambda: stacks.gone(name), bool, "it to be gone")


def test_CF_005_a_resource_does_not_change_its_type(stacks) -> None:
    name = stacks.create(queue())
    other = json.dumps({"Resources": {"Queue": resource("AWS::SNS::Topic")}})
    assert refusal(stacks.client.update_stack, StackName=name, TemplateBody=other) == (
        400,
        "ValidationError",
        "Update of resource type is not permitted. The new template modifies resource type of the "
        "following resources: [Queue]",
    )


def test_CF_009_a_change_set_makes_a_stack(stacks) -> None:
    name, changes = unique("stack"), unique("set")
    template = json.loads(queue())
    template["Outputs"] = {"Url": {"Value": {"Ref": "Queue"}}}
    stacks.client.create_change_set(
        StackName=name,
        ChangeSetName=changes,
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(template),
    )
    stacks.names.append(name)
    found = described(stacks, name, changes)
    assert stacks.status(name) == "REVIEW_IN_PROGRESS"
    assert found["Changes"][0]["ResourceChange"]["Action"] == "Add"
    stacks.client.execute_change_set(StackName=name, ChangeSetName=changes)
    poll(lambda: stacks.status(name), lambda status: status == "CREATE_COMPLETE", "the stack")
    assert stacks.outputs(name) == {"Url": stacks.physical(name, "Queue")}


def test_CF_009_a_change_set_without_changes(stacks) -> None:
    name, changes = stacks.create(queue()), unique("set")
    stacks.client.create_change_set(StackName=name, ChangeSetName=changes, TemplateBody=queue())
    found = described(stacks, name, changes)
    assert (found["Status"], found["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert found["StatusReason"] == (
        "The submitted information didn't contain changes. Submit different information to create "
        "a change set."
    )
    status, code, text = refusal(
        stacks.client.execute_change_set, StackName=name, ChangeSetName=changes
    )
    assert (status, code) == (400, "InvalidChangeSetStatus")
    assert text.endswith("cannot be executed in its current status of [FAILED]")


QUEUE = {"Type": "AWS::SQS::Queue"}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{}", "Template format error: At least one Resources member must be defined."),
        ("Resources: [", "Template format error: YAML not well-formed. (line 2, column 1)"),
        ("words", "Template format error: unsupported structure."),
        (
            {"Resources": {"A": {"Type": "AWS::Foo::Bar"}}},
            "Template format error: Unrecognized resource types: [AWS::Foo::Bar]",
        ),
        (
            {"Resources": {"A": {}}},
            "Template format error: [/Resources/A] Every Resources object must contain a Type "
            "member.",
        ),
        (
            {"Resources": {"A": {**QUEUE, "Properties": {"QueueName": {"Ref": "Lost"}}}}},
            "Template format error: Unresolved resource dependencies [Lost] in the Resources block "
            "of the template",
        ),
        (
            {"Resources": {"A": QUEUE}, "Outputs": {"O": {"Value": {"Ref": "Lost"}}}},
            "Template format error: Unresolved resource dependencies [Lost] in the Outputs block "
            "of the template",
        ),
        (
            {"Resources": {"A": QUEUE}, "Outputs": {"O": {"Value": {"Fn::GetAtt": ["L", "Arn"]}}}},
            "Template error: instance of Fn::GetAtt references undefined resource L",
        ),
        (
            {"Resources": {"A": QUEUE}, "Outputs": {"O": {"Value": {"Fn::GetAtt": ["A", "X"]}}}},
            "Template error: resource A does not support attribute type X in Fn::GetAtt",
        ),
        (
            {"Resources": {"A": QUEUE}, "Resorces": {}},
            "Invalid template property or properties [Resorces]",
        ),
        (
            {
                "Resources": {
                    "A": {**QUEUE, "DependsOn": "B"},
                    "B": {**QUEUE, "DependsOn": "A"},
                }
            },
            "Circular dependency between resources: [A, B]",
        ),
    ],
)
def test_CF_010_templates_that_cannot_be_used(stacks, template, text) -> None:
    body = template if isinstance(template, str) else json.dumps(template)
    found = refusal(stacks.client.create_stack, StackName=unique("stack"), TemplateBody=body)
    assert found == (400, "ValidationError", text)


def test_CF_011_stacks_that_are_not_there(stacks) -> None:
    name = unique("stack")
    for call in ("describe_stacks", "describe_stack_resources", "get_template"):
        found = refusal(getattr(stacks.client, call), StackName=name)
        assert found == (400, "ValidationError", f"Stack with id {name} does not exist")
    for call, more in (("update_stack", {"TemplateBody": queue()}), ("describe_stack_events", {})):
        found = refusal(getattr(stacks.client, call), StackName=name, **more)
        assert found == (400, "ValidationError", f"Stack [{name}] does not exist")
    stacks.client.delete_stack(StackName=name)


def test_CF_011_a_stack_that_is_there_already(stacks) -> None:
    name = stacks.create(queue())
    found = refusal(stacks.client.create_stack, StackName=name, TemplateBody=queue())
    assert found == (400, "AlreadyExistsException", f"Stack [{name}] already exists")


@pytest.mark.parametrize(
    ("properties", "capability"),
    [({}, "CAPABILITY_IAM"), ({"RoleName": "named-by-hand"}, "CAPABILITY_NAMED_IAM")],
)
def test_CF_012_roles_are_to_be_acknowledged(stacks, properties, capability) -> None:
    role = resource("AWS::IAM::Role", AssumeRolePolicyDocument={}, **properties)
    body = json.dumps({"Resources": {"Role": role}})
    found = refusal(stacks.client.create_stack, StackName=unique("stack"), TemplateBody=body)
    text = f"Requires capabilities : [{capability}]"
    assert found == (400, "InsufficientCapabilitiesException", text)


@pytest.mark.parametrize(
    ("declared", "given", "text"),
    [
        ({"Type": "String"}, None, "Parameters: [P] must have values"),
        ({"Type": "Number"}, "many", "Parameter 'P' must be a number"),
        (
            {"Type": "String", "AllowedValues": ["a", "b"]},
            "c",
            "Parameter 'P' must be one of AllowedValues",
        ),
        (
            {"Type": "String", "AllowedPattern": "[a-z]+"},
            "A",
            "Parameter 'P' must match pattern [a-z]+",
        ),
        (
            {"Type": "String", "AllowedPattern": "[a-z]+", "ConstraintDescription": "lower case"},
            "A",
            "Parameter P failed to satisfy constraint: lower case",
        ),
    ],
)
def test_CF_013_values_that_a_parameter_cannot_have(stacks, declared, given, text) -> None:
    body = json.dumps({**json.loads(queue()), "Parameters": {"P": declared}})
    values = [{"ParameterKey": "P", "ParameterValue": given}] if given else []
    found = refusal(
        stacks.client.create_stack,
        StackName=unique("stack"),
        TemplateBody=body,
        Parameters=values,
    )
    assert found == (400, "ValidationError", text)


def test_CF_013_a_secret_parameter_is_not_shown(stacks) -> None:
    template = {**json.loads(queue()), "Parameters": {"P": {"Type": "String", "NoEcho": True}}}
    values = [{"ParameterKey": "P", "ParameterValue": "secret"}]
    name = stacks.create(json.dumps(template), Parameters=values)
    assert stacks.about(name)["Parameters"] == [{"ParameterKey": "P", "ParameterValue": "****"}]


def test_CF_014_a_stack_that_is_protected(stacks) -> None:
    name = stacks.create(queue(), EnableTerminationProtection=True)
    assert refusal(stacks.client.delete_stack, StackName=name) == (
        400,
        "ValidationError",
        f"Stack [{name}] cannot be deleted while TerminationProtection is enabled",
    )
    stacks.client.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    stacks.delete(name)


def test_CF_015_a_resource_that_is_to_stay(aws, stacks) -> None:
    body = json.dumps({"Resources": {"Queue": {**QUEUE, "DeletionPolicy": "Retain"}}})
    name = stacks.create(body)
    url, identity = stacks.physical(name, "Queue"), stacks.about(name)["StackId"]
    aws.later(aws.sqs.delete_queue, QueueUrl=url)
    stacks.delete(name)
    assert ("Queue", "DELETE_SKIPPED", "") in stacks.events(identity)
    assert aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])


def test_CF_016_a_value_that_is_exported_and_imported(stacks) -> None:
    export = unique("export")
    giving = {
        **json.loads(queue()),
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": "Queue.Arn"}, "Export": {"Name": export}}},
    }
    taking = {**json.loads(queue()), "Outputs": {"Arn": {"Value": {"Fn::ImportValue": export}}}}
    first = stacks.create(json.dumps(giving))
    second = stacks.create(json.dumps(taking))
    assert stacks.outputs(second)["Arn"] == stacks.outputs(first)["Arn"]
    assert stacks.client.list_imports(ExportName=export)["Imports"] == [second]
    third = stacks.create(json.dumps(giving))
    assert (
        third,
        "ROLLBACK_IN_PROGRESS",
        f"Export with name {export} is already exported by stack {first}. Rollback requested by "
        "user.",
    ) in stacks.events(third)
    stacks.client.delete_stack(StackName=first)
    assert stacks.settled(first) == "DELETE_FAILED"
    assert "as it is in use by" in stacks.about(first)["StackStatusReason"]
    lost = {**taking, "Outputs": {"Arn": {"Value": {"Fn::ImportValue": "lost-export"}}}}
    found = refusal(
        stacks.client.create_stack, StackName=unique("stack"), TemplateBody=json.dumps(lost)
    )
    assert found == (400, "ValidationError", "No export named lost-export found.")
    stacks.delete(second)
    stacks.delete(first)


def test_CF_019_code_of_a_serverless_function_on_this_computer(stacks) -> None:
    template = SERVERLESS.replace("InlineCode: |", "CodeUri: src\n      Description: |")
    name = stacks.create(template, Capabilities=SAM)
    assert stacks.status(name) == "ROLLBACK_COMPLETE"
    text = next(text for _, status, text in stacks.events(name) if status == "ROLLBACK_IN_PROGRESS")
    assert text.startswith("Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless ")
    assert "Resource with id [Worker] is invalid. 'CodeUri' is not a valid S3 Uri" in text


def test_CF_019_a_transform_is_to_be_acknowledged(stacks) -> None:
    found = refusal(
        stacks.client.create_stack,
        StackName=unique("stack"),
        TemplateBody=SERVERLESS,
        Capabilities=["CAPABILITY_IAM"],
    )
    text = "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"
    assert found == (400, "InsufficientCapabilitiesException", text)


def test_CF_020_what_functions_of_a_template_give(aws, stacks) -> None:
    template = """
Parameters:
  Stage: {Type: String, Default: test}
  Names: {Type: CommaDelimitedList, Default: "a,b"}
Mappings: {Days: {test: {Keep: 60}, live: {Keep: 120}}}
Conditions: {Live: !Equals [!Ref Stage, live], NotLive: !Not [!Condition Live]}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      MessageRetentionPeriod: !FindInMap [Days, !Ref Stage, Keep]
      DelaySeconds: !If [Live, 5, !Ref AWS::NoValue]
  Other: {Type: AWS::SQS::Queue, Condition: Live}
Outputs:
  Sub: {Value: !Sub ["${AWS::StackName} ${!Literal} ${own}", {own: !Select [1, !Ref Names]}]}
  Join: {Value: !Join ["-", [!Ref AWS::Region, !Ref Stage]]}
  Name: {Value: !Select [5, !Split [":", !GetAtt Queue.Arn]]}
  Hidden: {Condition: Live, Value: !Ref Other}
  Base64: {Value: !Base64 words}
  Account: {Value: !Sub "${AWS::AccountId}"}
  Retention: {Condition: NotLive, Value: !GetAtt Queue.QueueName}
"""
    name = stacks.create(template)
    url = stacks.physical(name, "Queue")
    queue_name = url.rpartition("/")[2]
    assert stacks.outputs(name) == {
        "Sub": f"{name} ${{Literal}} b",
        "Join": f"{aws.region}-test",
        "Name": queue_name,
        "Base64": "d29yZHM=",
        "Account": aws.account,
        "Retention": queue_name,
    }
    names = ["MessageRetentionPeriod", "DelaySeconds"]
    found = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    assert found == {"MessageRetentionPeriod": "60", "DelaySeconds": "0"}


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"VisibilityTimeut": 30}, "#: extraneous key [VisibilityTimeut] is not permitted"),
        ({"VisibilityTimeout": "x"}, "#/VisibilityTimeout: expected type: Integer, found: String"),
        ({"Tags": {"a": "b"}}, "#/Tags: expected type: JSONArray, found: JSONObject"),
    ],
)
def test_CF_021_properties_that_a_resource_cannot_have(stacks, properties, text) -> None:
    name = stacks.create(queue(**properties))
    assert (
        "Queue",
        "CREATE_FAILED",
        f"Properties validation failed for resource Queue with message:\n[{text}]",
    ) in stacks.events(name)


def test_CF_022_policies_of_a_role(aws, stacks) -> None:
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    inline = {"PolicyName": "inline", "PolicyDocument": {"Statement": [statement]}}
    managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    document = {"Version": "2012-10-17", "Statement": [statement]}
    template = {
        "Resources": {
            "Role": resource(
                "AWS::IAM::Role",
                AssumeRolePolicyDocument=trust,
                ManagedPolicyArns=[managed],
                Policies=[inline],
            ),
            "More": resource(
                "AWS::IAM::Policy",
                PolicyName="more",
                PolicyDocument=document,
                Roles=[{"Ref": "Role"}],
            ),
        }
    }
    name = stacks.create(json.dumps(template), Capabilities=["CAPABILITY_IAM"])
    role = stacks.physical(name, "Role")
    attached = aws.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [managed]
    assert set(aws.iam.list_role_policies(RoleName=role)["PolicyNames"]) == {"inline", "more"}
    del template["Resources"]["Role"]["Properties"]["ManagedPolicyArns"]
    del template["Resources"]["More"]
    stacks.update(name, json.dumps(template), Capabilities=["CAPABILITY_IAM"])
    assert aws.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    assert aws.iam.list_role_policies(RoleName=role)["PolicyNames"] == ["inline"]
    stacks.delete(name)
    assert refusal(aws.iam.get_role, RoleName=role)[0] == 404


def test_CF_023_a_custom_named_resource_is_not_replaced(stacks) -> None:
    name = stacks.create(queue(QueueName=f"{unique('named')}"))
    template = json.loads(stacks_template(stacks, name))
    template["Resources"]["Queue"]["Properties"]["FifoQueue"] = True
    own = template["Resources"]["Queue"]["Properties"]["QueueName"]
    assert stacks.update(name, json.dumps(template)) == "UPDATE_ROLLBACK_COMPLETE"
    reason = next(text for _, status, text in stacks.events(name) if status == "UPDATE_FAILED")
    assert ("Queue", "UPDATE_COMPLETE", "") in stacks.events(name)
    assert reason == (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        f"Rename {own} and update the stack again."
    )


def stacks_template(stacks: Stacks, name: str) -> str:
    return json.dumps(stacks.client.get_template(StackName=name)["TemplateBody"])
