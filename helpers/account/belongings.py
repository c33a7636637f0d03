"""What is ours: a thing that carries the course's tag with this learner's value.

All else is foreign, whatever its name: the course reads it and does not change it. A foreign
thing can be adopted, by name and id; then it carries the tag, and a second one that tells the
clean-up to leave it alone. A log group is made by Lambda without a tag: it belongs to whom its
function belongs, or the function's role when the function is gone. A trigger has no name: it
is known by its tag alone, whatever it connects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import boto3
from botocore.exceptions import ClientError, ParamValidationError

from helpers.account import names
from helpers.account.names import Names, name
from helpers.logs import log_group

ADOPTED = "sqs-lambda-course-adopted"
MISSING = ("NonExistentQueue", "ResourceNotFoundException", "NoSuchEntity")
T = TypeVar("T")


class NotOurs(ValueError):
    """Something has a name of the course, and the course did not make it."""


@dataclass(frozen=True)
class Thing:
    """One thing in the account. `key` is what its delete call needs: a URL, an ARN, a name.

    `id` is what no other thing has: the ARN, or the UUID of a trigger. `tags` are those that
    decide whose it is; `polls` is true for a trigger that is on.
    """

    kind: str
    name: str
    key: str
    ours: bool = True
    id: str = field(default="", compare=False)
    tags: dict[str, str] = field(default_factory=dict, compare=False)
    polls: bool = field(default=False, compare=False)

    @property
    def owner(self) -> str | None:
        """Whose it is by its tag; None when it has no tag of the course."""
        return self.tags.get(names.TAG)

    @property
    def adopted(self) -> bool:
        """Whether it is ours because the learner has adopted it."""
        return self.ours and ADOPTED in self.tags

    @property
    def whose(self) -> str:
        """Why it is left alone, in two or three words."""
        if self.adopted:
            return "adopted"
        return "no tag" if self.owner is None else f"tag of {self.owner!r}"


def make_thing(kind: str, name: str, key: str, id: str, tags: dict[str, str]) -> Thing:
    return Thing(kind, name, key, is_ours(tags), id, tags)


def is_ours(tags: dict[str, str]) -> bool:
    return names.tags().items() <= tags.items()


def ignore_missing(call: Callable[[], T]) -> T | None:
    """The result of a call, or None when what it asks for does not exist."""
    try:
        return call()
    except ClientError as error:
        if not any(code in error.response["Error"]["Code"] for code in MISSING):
            raise
        return None


def as_dictionary(tags: Iterable[dict[str, str]]) -> dict[str, str]:
    """Tags as IAM and DynamoDB list them, as a dictionary."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as IAM and DynamoDB want them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


# -- one thing, or None when there is none of that name ------------------------------------


def look_at_queue(sqs: Any, name: str) -> Thing | None:
    def look() -> Thing:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        return make_thing("queue", name, url, answer["Attributes"]["QueueArn"], tags)

    return ignore_missing(look)


def look_at_function(lambda_: Any, name: str) -> Thing | None:
    function = ignore_missing(lambda: lambda_.get_function(FunctionName=name))
    if function is None:
        return None
    arn = function["Configuration"]["FunctionArn"]
    return make_thing("function", name, name, arn, function.get("Tags", {}))


def look_at_role(iam: Any, name: str) -> Thing | None:
    role = ignore_missing(lambda: iam.get_role(RoleName=name)["Role"])
    if role is None:
        return None
    return make_thing("role", name, name, role["Arn"], as_dictionary(role.get("Tags", [])))


def look_at_table(dynamodb: Any, name: str) -> Thing | None:
    def look() -> Thing:
        arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
        tags = as_dictionary(dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"])
        return make_thing("table", name, name, arn, tags)

    return ignore_missing(look)


def look_at_log_group(logs: Any, name: str) -> Thing | None:
    """The log group by its own tags, whosever its function is."""
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    arns = [group["arn"] for group in groups if group["logGroupName"] == name]
    if not arns:
        return None
    arn = arns[0].removesuffix(":*")
    answer = ignore_missing(lambda: logs.list_tags_for_resource(resourceArn=arn))
    return make_thing("log group", name, arn, arn, answer["tags"]) if answer else None


def look_at_trigger(lambda_: Any, uuid: str) -> Thing | None:
    def look() -> Thing:
        return look_at_mapping(lambda_, lambda_.get_event_source_mapping(UUID=uuid))

    return ignore_missing(look)


def look_at_mapping(lambda_: Any, mapping: dict[str, Any]) -> Thing:
    """An event source mapping as a thing, with a look at its tags."""
    tags = lambda_.list_tags(Resource=mapping["EventSourceMappingArn"])["Tags"]
    uuid, polls = mapping["UUID"], mapping["State"] not in ("Disabled", "Deleting")
    return Thing("trigger", describe(mapping), uuid, is_ours(tags), uuid, tags, polls)


def describe(mapping: dict[str, Any]) -> str:
    """What a trigger connects, which stands for the name that it has not."""
    return " to ".join(connects(mapping))


def connects(mapping: dict[str, Any]) -> tuple[str, str]:
    """The names of a trigger's queue and function. Some kinds of source have no ARN."""
    source = mapping.get("EventSourceArn", "other source").rsplit(":", 1)[-1]
    return source, mapping["FunctionArn"].split(":function:")[-1].split(":")[0]


LOOK_AT = {
    "queue": ("sqs", look_at_queue),
    "function": ("lambda", look_at_function),
    "role": ("iam", look_at_role),
    "table": ("dynamodb", look_at_table),
    "log group": ("logs", look_at_log_group),
    "trigger": ("lambda", look_at_trigger),
}


# -- all that there is ---------------------------------------------------------------------


def find(wanted: Names | None = None) -> list[Thing]:
    """What there is under these names, by default under all that the course uses.

    With it come the triggers of these queues and functions; and, when all is wanted, each
    trigger that is ours.
    """
    of = wanted or names.EVERYTHING
    queues = find_queues(None if wanted is None else map(name, of.queues))
    functions = look_at_each("function", map(name, of.functions))
    roles = look_at_each("role", map(name, of.roles))
    tables = look_at_each("table", map(name, of.tables))
    groups = find_log_groups(map(name, of.functions), functions, roles)
    ends = {name(each) for each in of.queues + of.functions} | {queue.name for queue in queues}
    triggers = find_triggers(ends, all_ours=wanted is None)
    return [*triggers, *functions, *queues, *tables, *roles, *groups]


def look_at_each(kind: str, wanted: Iterable[str]) -> list[Thing]:
    """The things of a kind that exist, of these full names."""
    service, look = LOOK_AT[kind]
    client = boto3.client(service)
    return [thing for each in wanted if (thing := look(client, each))]


def find_queues(wanted: Iterable[str] | None = None) -> list[Thing]:
    """The queues that exist, of these full names or of all that the course uses."""
    if wanted is None:
        wanted = [*map(name, names.EVERYTHING.queues), *broken_queues()]
    return look_at_each("queue", wanted)


def broken_queues() -> list[str]:
    """The names of notebook 11's queues that hold the time at which they were made."""
    prefix = f"{name(names.BREAK_IT)}-"
    urls = boto3.client("sqs").list_queues(QueueNamePrefix=prefix).get("QueueUrls", [])
    found = [url.rsplit("/", 1)[-1] for url in urls]
    return [each for each in found if each.removeprefix(prefix)[:1].isdigit()]


def find_triggers(ends: Iterable[str], all_ours: bool = False) -> list[Thing]:
    """The triggers of queues and functions with these full names.

    With `all_ours` also every other trigger that carries our tag. It takes one pass through
    the account's triggers, and a look at the tags of each that may be meant.
    """
    lambda_ = boto3.client("lambda")
    pages = lambda_.get_paginator("list_event_source_mappings").paginate()
    mappings = [mapping for page in pages for mapping in page["EventSourceMappings"]]
    alive = [mapping for mapping in mappings if mapping["State"] != "Deleting"]
    near = {mapping["UUID"] for mapping in alive if {*connects(mapping)} & {*ends}}
    meant = [each for each in mappings if all_ours or each["UUID"] in near]
    found = [ignore_missing(lambda each=each: look_at_mapping(lambda_, each)) for each in meant]
    return [thing for thing in found if thing and (thing.ours or thing.key in near)]


def find_log_groups(
    wanted: Iterable[str], functions: list[Thing], roles: list[Thing]
) -> list[Thing]:
    """The log groups of functions with these full names.

    `functions` and `roles` are those that exist. A log group without a tag of the course
    belongs to whom its function belongs or, when the function is gone, to whom the function's
    role belongs, unless that was adopted: then nobody knows who wrote there.
    """
    made = {role.name: role for role in roles if not role.adopted}
    owners: dict[str, Thing | None] = {each: made.get(role_of(each)) for each in wanted}
    owners |= {each.name: each for each in functions}
    groups = {log_group(each): owner for each, owner in owners.items()}
    return [inherit(each, groups[each.name]) for each in look_at_each("log group", groups)]


def role_of(function: str) -> str:
    """The role with which a function of the course runs."""
    return name(names.ROLE) if function == name(names.PRACTICE_FUNCTION) else f"{function}Role"


def inherit(thing: Thing, owner: Thing | None) -> Thing:
    """The thing as that of its owner, unless a tag of its own says whose it is."""
    if owner is None or thing.owner is not None:
        return thing
    return replace(thing, ours=owner.ours, tags=owner.tags)


# -- what is not ours ----------------------------------------------------------------------


def refuse_names(wanted: Names) -> None:
    """Raise NotOurs if anything foreign has one of these names, or is a trigger of theirs."""
    if wanted != Names():
        refuse_foreign(find(wanted))


def refuse_foreign(things: Iterable[Thing | None], tags: dict[str, str] | None = None) -> None:
    """Raise NotOurs, naming all that is foreign: nothing of somebody else is changed.

    Foreign is what does not carry these tags, by default the course's with this learner's
    value. None stands for a thing that does not exist.
    """
    foreign = [thing for thing in things if thing and not carries(thing, tags)]
    groups = {log_group(thing.name) for thing in foreign if thing.kind == "function"}
    foreign = [thing for thing in foreign if thing.name not in groups]  # as their function
    if foreign:
        raise NotOurs(refusal(foreign))


def carries(thing: Thing, tags: dict[str, str] | None) -> bool:
    return thing.ours if tags is None else tags.items() <= thing.tags.items()


def refuse_if_known(kind: str, client: Any, full_name: str) -> None:
    """Raise NotOurs if a queue or function is foreign and has a name of the course.

    For calls that get no tags: what has another name is up to the caller.
    """
    known = {"queue": names.EVERYTHING.queues, "function": names.EVERYTHING.functions}[kind]
    if full_name in map(name, known):
        refuse_foreign([LOOK_AT[kind][1](client, full_name)])


def refusal(foreign: list[Thing]) -> str:
    """What is foreign, one line for each thing, and the two ways out."""
    made = "\n".join(
        f"There is a {thing.kind} {thing.name} that this course did not make ({thing.id}; "
        f"{said_by_tag(thing)})."
        for thing in foreign
    )
    calls = [f'course.adopt("{each.kind}", "{each.name}", "{each.id}")' for each in foreign]
    end = " " if len(foreign) == 1 else "\n"
    return (
        f"{made}{end}Set SQS_COURSE_PREFIX, such as anna- (with make: PREFIX=anna-), for names of "
        f"your own, or adopt what is yours:{end}{end.join(calls)}"
    )


def said_by_tag(thing: Thing) -> str:
    if thing.owner is None:
        return f"it has no tag {names.TAG}"
    return f"its tag {names.TAG} says {thing.owner!r}"


def adopt(kind: str, name: str, id: str) -> Thing:
    """Tag a thing of the learner's own, so that the course uses it and the clean-up keeps it.

    `kind` is one of LOOK_AT; `id` is the ARN, or the UUID of a trigger, whose name says what it
    connects. Raises ValueError, and changes nothing, when there is no such thing or when name
    and id are not those of one thing.
    """
    if kind not in LOOK_AT:
        raise ValueError(f"{kind!r} is no kind of thing; there are: {', '.join(LOOK_AT)}.")
    service, look = LOOK_AT[kind]
    client = boto3.client(service)
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


def tag_trigger(lambda_: Any, thing: Thing, tags: dict[str, str]) -> None:
    mapping = lambda_.get_event_source_mapping(UUID=thing.id)
    lambda_.tag_resource(Resource=mapping["EventSourceMappingArn"], Tags=tags)


TAGGING: dict[str, Callable[[Any, Thing, dict[str, str]], Any]] = {
    "queue": lambda sqs, thing, tags: sqs.tag_queue(QueueUrl=thing.key, Tags=tags),
    "function": lambda lambda_, thing, tags: lambda_.tag_resource(Resource=thing.id, Tags=tags),
    "role": lambda iam, thing, tags: iam.tag_role(RoleName=thing.name, Tags=as_list(tags)),
    "table": lambda dynamodb, thing, tags: dynamodb.tag_resource(
        ResourceArn=thing.id, Tags=as_list(tags)
    ),
    "log group": lambda logs, thing, tags: logs.tag_resource(resourceArn=thing.id, tags=tags),
    "trigger": tag_trigger,
}
