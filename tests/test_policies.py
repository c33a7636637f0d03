"""The policies in data/policies: made of what is called, enough, and no more than is needed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.iam.models import iam_backends

from helpers import steps
from helpers.account import boundary, names, target
from helpers.account.sentences import WrongSetting
from helpers.localaws.permissions.roles import Role
from tests.notebook_files import NAMES
from tests.policies import __main__ as policies
from tests.policies import documents, recording, replay
from tests.policies.documents import BOUNDARY, FILES, FUNCTION, LEARNER, Document
from tests.policies.recording import ACCOUNT, BOUNDARY_ARN, PREFIX, Need

FIRST_STEPS = NAMES[:8]
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"
ANYTHING = documents.document([{"Effect": "Allow", "Action": "*", "Resource": "*"}])
each_file = pytest.mark.parametrize("file", FILES)


# -- as they are stored ----------------------------------------------------------------------


def test_they_are_made_of_what_was_recorded() -> None:
    made = documents.all_of(recording.stored("needs"), recording.stored("grants"))
    for file, policy in made.items():
        stored = (recording.FOLDER / file).read_text(encoding="utf-8")
        assert stored == documents.text_of(policy), "type make policies"


def test_every_notebook_was_recorded() -> None:
    assert list(recording.stored()) == list(NAMES)
    for needs in recording.stored().values():
        assert needs


@each_file
def test_iam_takes_them_as_managed_policies(file: str) -> None:
    policy = documents.read(file)
    assert documents.size_of(policy) <= documents.SIZE
    ids = [statement["Sid"] for statement in policy["Statement"]]
    assert len({*ids}) == len(ids)
    assert all(each.isalnum() for each in ids)  # "Sid" in the grammar of the JSON policy language
    assert ACCOUNT not in json.dumps(policy)


class Judge:
    """The local AWS's own evaluator, asked about a role with one policy."""

    def __init__(self) -> None:
        iam = iam_backends[ACCOUNT]["aws"]
        tags = [{"Key": names.TAG, "Value": PREFIX.rstrip("-")}]
        trust = json.dumps({"Statement": []})
        self.role = iam.create_role("judged", trust, "/", "", "", tags, "3600")

    def allows(self, policy: Document, need: Need) -> bool:
        self.role.policies["p"] = json.dumps(policy)
        found = Role(ACCOUNT, self.role.arn)
        return found.refusal(need.action, need.resource or None, dict(need.context)) is None


@pytest.fixture
def judge() -> Iterator[Judge]:
    yield Judge()
    iam = iam_backends[ACCOUNT]["aws"]
    iam.get_role("judged").policies.clear()
    iam.delete_role("judged")


def recorded(file: str) -> list[Need]:
    kept = recording.stored("needs" if file == LEARNER else "grants")
    return sorted(set().union(*kept.values()))


@each_file
def test_they_allow_all_that_was_recorded(judge: Judge, file: str) -> None:
    refused = [need for need in recorded(file) if not judge.allows(documents.read(file), need)]
    assert refused == []


@each_file
def test_they_allow_nothing_of_another_learner(judge: Judge, file: str) -> None:
    own = [need for need in recorded(file) if PREFIX in need.resource]
    assert len(own) > 20
    for need in own:
        others = need._replace(resource=need.resource.replace(PREFIX, "bob-"))
        assert not judge.allows(documents.read(file), others), others


@each_file
def test_without_any_of_their_actions_a_call_is_refused(judge: Judge, file: str) -> None:
    policy = documents.read(file)
    for action in documents.actions_of(policy):
        left = documents.without(policy, action)
        likely_first = sorted(recorded(file), key=lambda need: need.action != action)
        assert not all(judge.allows(left, need) for need in likely_first), action


def test_only_what_is_known_to_be_optional_is_not_left_out_in_a_run() -> None:
    for file, action in policies.OPTIONAL:
        assert action in documents.actions_of(documents.read(file))
    for file in FILES:
        for action in documents.actions_of(documents.read(file)):
            assert policies.users_of(file, action), (file, action)


# -- in real runs ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_learner_with_just_this_policy_takes_the_first_steps(environment) -> None:
    stored, found = recording.stored(), {}
    given = policies.stored()
    with (
        replay.own_local_aws(),
        replay.with_boundary(given.boundary),
        replay.as_learner(given.learner),
    ):
        for name in FIRST_STEPS:
            with recording.recorded() as recorder:
                assert replay.run([name]) is None
            found[name] = recorder.needs
        caller = boto3.client("sts").get_caller_identity()["Arn"]
    assert caller.endswith("assumed-role/Learner/anna")
    for name in FIRST_STEPS:  # what was recorded is what is called today
        assert found[name] == stored[name], f"{name}: type make policies"


@pytest.mark.slow
def test_functions_with_just_their_policy_do_their_work(environment) -> None:
    names = ["06_send_message", "07_check_logs"]
    assert replay.replay(names, policies.stored(), only_function=True) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "action", "notebook"),
    [
        (LEARNER, "sqs:SendMessage", "00_start_here"),
        (LEARNER, "iam:PassRole", "03_create_function"),
        (FUNCTION, "sqs:DeleteMessage", "04_add_trigger"),
        (BOUNDARY, "sqs:ReceiveMessage", "04_add_trigger"),
    ],
)
def test_without_an_action_a_notebook_breaks(environment, file, action, notebook) -> None:
    broken = policies.first_broken(file, action)
    assert broken is not None
    assert broken.notebook == notebook
    assert action in broken.said or action.partition(":")[2] in broken.said


# -- what a learner in a class cannot do -----------------------------------------------------


@pytest.fixture(scope="module")
def classroom(keep_environment) -> Iterator[dict[str, dict[str, str]]]:
    """A local AWS with the class's boundary: the keys of anna, and of somebody without a tag."""
    given = policies.stored()
    with replay.own_local_aws(), replay.with_boundary(given.boundary):
        iam = boto3.client("iam")
        trust = json.dumps(steps.TRUST_POLICY)
        iam.create_role(RoleName="Powerful", AssumeRolePolicyDocument=trust)
        iam.create_role(RoleName="anna-Unbound", AssumeRolePolicyDocument=trust)
        boto3.client("sqs").create_queue(QueueName="bob-Orders")
        yield {
            "anna": replay.keys_of_role("anna", given.learner, "anna"),
            "nobody": replay.keys_of_role("nobody", given.learner, None),
        }


@pytest.fixture
def client(classroom, request) -> Callable:
    """Clients with the keys of a learner, by default of anna."""

    def make(service: str, who: str = "anna", keys: dict[str, str] | None = None) -> object:
        given = keys or classroom[who]
        session = boto3.Session(*given.values(), region_name=target.REGION)
        return session.client(service)

    return make


MAKE = {
    "RoleName": "anna-Role",
    "AssumeRolePolicyDocument": json.dumps(replay.TRUST),
    "PermissionsBoundary": BOUNDARY_ARN,
    "Tags": [{"Key": names.TAG, "Value": "anna"}],
}
CODE = {"ZipFile": steps.make_package(steps.HELLO_STUB)}
FUNCTION_OF_ANNA = {
    "FunctionName": "anna-work",
    "Runtime": steps.RUNTIME,
    "Handler": steps.HANDLER,
    "Code": CODE,
}
CANNOT = {
    "make a role without the boundary": lambda c: c("iam").create_role(
        **{**MAKE, "PermissionsBoundary": ADMIN}
    ),
    "make a role without any": lambda c: c("iam").create_role(
        **{key: value for key, value in MAKE.items() if key != "PermissionsBoundary"}
    ),
    "make a role that looks like another learner's": lambda c: c("iam").create_role(
        **{**MAKE, "Tags": [{"Key": names.TAG, "Value": "bob"}]}
    ),
    "make a role with another name": lambda c: c("iam").create_role(
        **{**MAKE, "RoleName": "bob-Role"}
    ),
    "take the boundary away": lambda c: c("iam").delete_role_permissions_boundary(
        RoleName="anna-Unbound"
    ),
    "change the boundary": lambda c: c("iam").create_policy_version(
        PolicyArn=BOUNDARY_ARN, PolicyDocument=json.dumps(ANYTHING), SetAsDefault=True
    ),
    "write into a role without the boundary": lambda c: c("iam").put_role_policy(
        RoleName="anna-Unbound", PolicyName="p", PolicyDocument=json.dumps(ANYTHING)
    ),
    "attach another policy": lambda c: c("iam").attach_role_policy(
        RoleName="anna-Unbound", PolicyArn=ADMIN
    ),
    "give a function another role": lambda c: c("lambda").create_function(
        **FUNCTION_OF_ANNA, Role=f"arn:aws:iam::{ACCOUNT}:role/Powerful"
    ),
    "read another learner's queue": lambda c: c("sqs").receive_message(
        QueueUrl=boto3.client("sqs").get_queue_url(QueueName="bob-Orders")["QueueUrl"]
    ),
    "trigger another learner's function": lambda c: c("lambda").create_event_source_mapping(
        FunctionName="bob-Orders", EventSourceArn=f"{QUEUE}anna-Orders"
    ),
    "make a user": lambda c: c("iam").create_user(UserName="anna-2"),
    "do anything without a name": lambda c: c("sqs", "nobody").list_queues(),
}


@pytest.mark.parametrize("what", CANNOT)
def test_what_a_learner_cannot_do(client, what: str) -> None:
    with pytest.raises(ClientError, match="not authorized to perform"):
        CANNOT[what](client)


def test_a_role_of_a_learner_is_never_more_than_its_boundary(client) -> None:
    iam = client("iam")
    role = iam.create_role(**MAKE)["Role"]["Arn"]
    iam.put_role_policy(RoleName="anna-Role", PolicyName="p", PolicyDocument=json.dumps(ANYTHING))
    given = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="anna")["Credentials"]
    keys = {key: given[key] for key in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
    boto3.client("sqs").create_queue(QueueName="anna-Orders")
    url = boto3.client("sqs").get_queue_url(QueueName="anna-Orders")["QueueUrl"]
    assert client("sqs", keys=keys).send_message(QueueUrl=url, MessageBody="its own")
    others = boto3.client("sqs").get_queue_url(QueueName="bob-Orders")["QueueUrl"]
    for call in (
        lambda: client("iam", keys=keys).create_user(UserName="u"),
        lambda: client("sqs", keys=keys).send_message(QueueUrl=others, MessageBody="x"),
        lambda: client("sqs", keys=keys).delete_queue(QueueUrl=url),
    ):
        with pytest.raises(ClientError, match="no permissions boundary allows"):
            call()


# -- the boundary of the roles that cells make -----------------------------------------------


@pytest.mark.parametrize("given", ["boundary", "arn:aws:iam::1:policy/x", "arn:aws:iam::x"])
def test_a_boundary_that_is_none_is_named(environment, given: str) -> None:
    os.environ["SQS_COURSE_BOUNDARY"] = given
    with pytest.raises(WrongSetting, match=f"SQS_COURSE_BOUNDARY is '{given}'; it must be the ARN"):
        target.connect()


def test_roles_get_the_boundary_that_is_set(learner, capsys) -> None:
    role = f"{learner}BreakItRole"
    assert boundary.wanted() is None
    iam = boto3.client("iam")
    assert "PermissionsBoundary" not in get_role(iam, steps.create_role(iam, f"{role}1", {}))
    os.environ["SQS_COURSE_BOUNDARY"] = BOUNDARY_ARN
    assert f"Roles get the permissions boundary {BOUNDARY_ARN}." in target.connect().note
    iam = boto3.client("iam")
    found = get_role(iam, steps.create_role(iam, f"{role}2", {}))
    assert found["PermissionsBoundary"]["PermissionsBoundaryArn"] == BOUNDARY_ARN


def test_roles_of_templates_get_it_where_they_ask_for_it(learner) -> None:
    """From the parameters that go out; the caller's own are left as they are."""
    os.environ["SQS_COURSE_BOUNDARY"] = BOUNDARY_ARN
    target.connect()
    sent = []
    stacks = boto3.client("cloudformation")
    stacks.meta.events.register_last(
        "before-parameter-build", lambda params, **_: sent.append(params.get("Parameters"))
    )
    stacks.meta.events.register("before-call", lambda **_: (FakeAnswer, {}))
    asks = "Parameters:\n  Boundary:\n    Type: String\n"
    other = {"ParameterKey": "Other", "ParameterValue": "x"}
    own = {"ParameterKey": "Boundary", "ParameterValue": "mine"}
    for given in ([], [other], [own]):
        stacks.create_stack(StackName="any", TemplateBody=asks, Parameters=given)
    stacks.update_stack(StackName="any", TemplateBody="Resources: {}")
    boundary_given = {"ParameterKey": "Boundary", "ParameterValue": BOUNDARY_ARN}
    assert sent == [[boundary_given], [other, boundary_given], [own], None]


class FakeAnswer:
    """What stands in for AWS's answer."""

    status_code = 200


def get_role(iam: object, arn: str) -> dict:
    return iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]
