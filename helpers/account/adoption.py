"""A thing of the learner's own becomes one that the course may use and does not delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from helpers import stacks
from helpers.account import names
from helpers.account.things import ADOPTED, LOOK_AT, Thing, as_list
from helpers.clients import Client, client_for


def adopt(kind: str, name: str, id: str) -> Thing:
    """Tag a thing of the learner's own, so that the course uses it and the clean-up keeps it.

    `kind` is one of LOOK_AT; `id` is the ARN, or the UUID of a trigger, whose name says what it
    connects. Raises ValueError, and changes nothing, when there is no such thing or when name
    and id are not those of one thing.
    """
    if kind not in LOOK_AT:
        raise ValueError(f"{kind!r} is no kind of thing; there are: {', '.join(LOOK_AT)}.")
    service, look = LOOK_AT[kind]
    client = client_for(service)
    try:
        thing = look(client, id if kind == "trigger" else name)
    except ParamValidationError:  # nothing can be called so
        thing = None
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith("Validation"):
            raise
        thing = None
    if thing is None:
        raise ValueError(f"There is no {kind} {name}. Nothing has been changed.")
    if (thing.name, thing.id) != (name, id):
        raise ValueError(
            f"{name} and {id} do not belong together: the {kind} {thing.name} has the id "
            f"{thing.id}. Nothing has been changed."
        )
    TAGGING[kind](client, thing, {**names.tags(), ADOPTED: "yes"})
    return thing


def tag_trigger(lambda_: Client, thing: Thing, tags: dict[str, str]) -> None:
    mapping = lambda_.get_event_source_mapping(UUID=thing.id)
    lambda_.tag_resource(Resource=mapping["EventSourceMappingArn"], Tags=tags)


def tag_stack(cloudformation: Client, thing: Thing, tags: dict[str, str]) -> None:
    """Give a stack, and with it all that it made, these tags beside those that it has."""
    stack = stacks.describe(cloudformation, thing.name) or {}
    given = [each["ParameterKey"] for each in stack.get("Parameters", [])]
    cloudformation.update_stack(
        StackName=thing.name,
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": each, "UsePreviousValue": True} for each in given],
        Capabilities=stack.get("Capabilities", []),
        Tags=as_list({**thing.tags, **tags}),
    )
    stacks.at_rest(cloudformation, thing.name)


TAGGING: dict[str, Callable[[Any, Thing, dict[str, str]], Any]] = {
    "queue": lambda sqs, thing, tags: sqs.tag_queue(QueueUrl=thing.key, Tags=tags),
    "function": lambda lambda_, thing, tags: lambda_.tag_resource(Resource=thing.id, Tags=tags),
    "role": lambda iam, thing, tags: iam.tag_role(RoleName=thing.name, Tags=as_list(tags)),
    "table": lambda dynamodb, thing, tags: dynamodb.tag_resource(
        ResourceArn=thing.id, Tags=as_list(tags)
    ),
    "alarm": lambda cloudwatch, thing, tags: cloudwatch.tag_resource(
        ResourceARN=thing.id, Tags=as_list(tags)
    ),
    "log group": lambda logs, thing, tags: logs.tag_resource(resourceArn=thing.id, tags=tags),
    "stack": tag_stack,
    "trigger": tag_trigger,
}
