"""What the exercises of notebook 14 are checked by: stacks, and the files they were made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from helpers import course, stacks
from helpers.account.things import ignore_missing, look_at_stack
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, missing, point, tagged
from helpers.clients import Client, client_for
from helpers.learning.writing import shortened

DAY_S = 86_400
CALL_S, HIDDEN_S, BATCH = 15, 90, 5
AT_REST = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
# Why the last change before the exercise failed, as it should.
OF_THE_LESSON = "Function timeout: 60 seconds"
# What CloudFormation puts around the words of the service that refused.
WRAPPED = re.compile(r'message: "(.*?)(?: \(Service|" \(RequestToken|"$)')

Fields = dict[str, Any]


# -- a stack, as CloudFormation and the services show it ---------------------------------------


class Stack(NamedTuple):
    """A stack that has come to rest. `things`: the physical id of each logical one."""

    name: str
    status: str
    reason: str
    text: str
    things: dict[str, str]


def look_at(cloudformation: Client, name: str) -> Stack | None:
    """The stack as soon as nothing is in progress; None when there is none."""

    status = stacks.at_rest(cloudformation, name)
    if status == stacks.GONE:
        return None
    listed = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    body = cloudformation.get_template(StackName=name)["TemplateBody"]
    return Stack(
        name,
        status,
        first_failure(cloudformation, name),
        body if isinstance(body, str) else json.dumps(body, indent=2),
        {
            each["LogicalResourceId"]: each.get("PhysicalResourceId", "")
            for each in listed
            if not each["ResourceStatus"].startswith("DELETE")
        },
    )


def first_failure(cloudformation: Client, name: str) -> str:
    """Why the last change of a stack failed, in the words of who refused; "" when it did not."""
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    reasons = []
    for event in events:  # the newest first
        own = event.get("PhysicalResourceId") == event["StackId"]
        if own and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"):
            break
        if event["ResourceStatus"].endswith("FAILED") and not own:
            reasons.append(event.get("ResourceStatusReason", ""))
    if not reasons:
        return ""
    found = WRAPPED.search(reasons[-1])
    return shortened(found[1] if found else reasons[-1])


def about_status(stack: Stack) -> Point:
    """Whether the last change of a stack went through."""
    if stack.status == "ROLLBACK_COMPLETE":
        return Point(
            False,
            f"CloudFormation could not make {stack.name}, and took all back: {stack.reason}. Mend "
            "the text, delete the stack, and create it again.",
        )
    return point(
        stack.status in AT_REST,
        f"The stack {stack.name} is {stack.status}.",
        f"The stack {stack.name} is {stack.status}: the last change failed, and all is as it was "
        f"before. {stack.reason}.",
    )


def about_status_or(stack: Stack, cause: str, advice: str) -> Point:
    """The stack's state; where a failure's reason has `cause` in it, the advice for that."""
    if cause in stack.reason:
        return Point(False, f"CloudFormation took all back: {stack.reason}. {advice}")
    return about_status(stack)


def part_of(text: str, thing: str) -> str:
    """What a template says of one thing, as far as it is written like those of the lesson."""
    found = re.search(rf"^  {thing}:\n((?:    .*\n|\n)*)", f"{text}\n", re.M)
    return found[1] if found else ""


def number_in(text: str, thing: str, setting: str) -> int | None:
    found = re.search(rf"^ +{setting}: (\d+)", part_of(text, thing), re.M)
    return int(found[1]) if found else None


def attributes_of(sqs: Client, url: str) -> dict[str, str]:
    def look() -> dict[str, str]:
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes: dict[str, str] = answer["Attributes"]
        return attributes

    return (ignore_missing(look) if url else None) or {}


# -- two clocks, changed in the file -----------------------------------------------------------


@exercise
def check_clocks_in_code() -> Iterator[Point]:
    """A call may take 15 s and the queue hides for 90 s, in the file and in truth."""
    cloudformation = client_for("cloudformation")
    stack = look_at(cloudformation, name := course.name(course.STACK))
    if stack is None:
        yield missing("stack", name)
        return

    def look() -> tuple[int, int]:
        function = client_for("lambda").get_function_configuration(FunctionName=name)
        queue = attributes_of(client_for("sqs"), stack.things.get("Queue", ""))
        return function["Timeout"], int(queue.get("VisibilityTimeout", 0))

    seen = see(look, lambda seen: seen == (CALL_S, HIDDEN_S))
    for clock, wanted_s, found_s in zip(CLOCKS, (CALL_S, HIDDEN_S), seen, strict=True):
        yield about_clock(clock, wanted_s, found_s, stack.text)
    if OF_THE_LESSON not in stack.reason:
        yield about_status(stack)
    yield about_batch(stack)
    yield tagged_stack(cloudformation, name)


class Clock(NamedTuple):
    words: str
    thing: str
    setting: str


CLOCKS = (
    Clock("A call may take", "Function", "Timeout"),
    Clock("The queue hides a message for", "Queue", "VisibilityTimeout"),
)


def about_clock(clock: Clock, wanted_s: int, found_s: int, text: str) -> Point:
    """Whether a setting is as it should be, and the file says so too."""
    said_s = number_in(text, clock.thing, clock.setting)
    if found_s == wanted_s != said_s:
        return Point(
            False,
            f"{clock.words} {found_s} s, but the stack's file says {said_s}: it was changed by "
            "hand. Whoever deploys the file next may undo it.",
        )
    return point(
        found_s == said_s == wanted_s,
        f"{clock.words} {found_s} s, and the file says so.",
        f"{clock.words} {found_s} s, not {wanted_s}: it is {clock.setting} of {clock.thing} that "
        "says so in the file.",
    )


def about_batch(stack: Stack) -> Point:
    """Whether nothing else has changed: who began with the first file undid what came later."""
    batch = number_in(stack.text, "Trigger", "BatchSize")
    return point(
        batch == BATCH,
        "All else is as it was.",
        f"The batch size is {batch} now: you began with another text than `better`, and what a "
        "file does not say any more is undone.",
    )


def tagged_stack(cloudformation: Client, name: str) -> Point:
    """Whether a stack, which is there, carries the course's tag."""
    thing = look_at_stack(cloudformation, name)
    return tagged(thing) if thing else missing("stack", name)


# -- a template of one's own -------------------------------------------------------------------


@exercise
def check_parcels_stack() -> Iterator[Point]:
    """PracticeStack has made Parcels and LostParcels, as the parcel service wants them."""
    cloudformation, sqs = client_for("cloudformation"), client_for("sqs")
    stack = look_at(cloudformation, name := course.name(course.PRACTICE_STACK))
    if stack is None:
        yield missing("stack", name)
        return
    yield about_status_or(
        stack,
        "deadLetterTargetArn",
        "!Ref of a queue is its URL, and a redrive policy wants the ARN: !GetAtt LostParcels.Arn.",
    )
    parcels, lost = (
        attributes_of(sqs, stack.things.get(each, "")) for each in ("Parcels", "LostParcels")
    )
    if stack.status in AT_REST:
        yield from about_parcels(stack, parcels, lost)
    yield tagged_stack(cloudformation, name)


def about_parcels(stack: Stack, parcels: Fields, lost: Fields) -> Iterator[Point]:
    for name, found in (("Parcels", parcels), ("LostParcels", lost)):
        if not found:
            yield Point(
                False,
                f"The stack has made no queue {name}. It has: {', '.join(sorted(stack.things))}.",
            )
            return
    hidden_s = int(parcels["VisibilityTimeout"])
    yield point(
        hidden_s == HIDDEN_S,
        f"Parcels hides a message for {HIDDEN_S} s.",
        f"Parcels hides a message for {hidden_s} s, not {HIDDEN_S}: VisibilityTimeout says how "
        "long, in its Properties.",
    )
    yield about_policy(policy_in(parcels), policy_in(lost), lost["QueueArn"])
    kept_s = int(lost["MessageRetentionPeriod"])
    yield point(
        kept_s == 14 * DAY_S,
        "LostParcels keeps messages for 14 days.",
        f"LostParcels keeps messages for {kept_s / DAY_S:g} days, not 14: MessageRetentionPeriod "
        "is in seconds, and a day has 86,400.",
    )


def policy_in(attributes: Fields) -> Fields:
    policy: Fields = json.loads(attributes.get("RedrivePolicy") or "{}")
    return policy


def about_policy(policy: Fields, policy_of_lost: Fields, lost_arn: str) -> Point:
    """Whether the one queue gives up after four tries, into the other."""
    tries = int(policy.get("maxReceiveCount", 0))
    advice = f"A parcel is tried {tries} times, not four: maxReceiveCount says how often."
    if not policy:
        advice = "Parcels has no RedrivePolicy, so nothing ever goes to LostParcels."
        if policy_of_lost:
            advice = (
                "The RedrivePolicy is on LostParcels. It belongs to the queue whose messages "
                "fail: Parcels."
            )
    elif policy["deadLetterTargetArn"] != lost_arn:
        advice = "What fails does not go to LostParcels: !GetAtt LostParcels.Arn is its ARN."
    right = bool(policy) and policy["deadLetterTargetArn"] == lost_arn and tries == 4
    return point(right, "What fails four times goes to LostParcels.", advice)


# -- a colleague's file --------------------------------------------------------------------------


@exercise
def check_repaired() -> Iterator[Point]:
    """PracticeRepair is deployed, and its trigger hands over messages that the code handles."""
    cloudformation = client_for("cloudformation")
    stack = look_at(cloudformation, name := course.name("PracticeRepair"))
    if stack is None:
        yield Point(
            False,
            f"There is no stack {name}: CloudFormation read the file, and refused it before it "
            "made anything. Its sentence names what is not there.",
        )
        return
    yield about_status_or(
        stack,
        "isibility timeout",
        "Which of the two clocks in the file is not as it should be?",
    )
    if stack.status in AT_REST:
        yield from about_pipeline(stack)
    yield tagged_stack(cloudformation, name)


def about_pipeline(stack: Stack) -> Iterator[Point]:
    """Whether all three parts are there, and the code is where the function looks for it."""
    gone = [each for each in ("Queue", "Function", "Trigger") if each not in stack.things]
    yield point(
        not gone,
        "Queue, function and trigger are there.",
        f"The file has no {' and no '.join(gone)} any more. To leave out what is refused makes a "
        "file deployable, and the system useless.",
    )
    if "Function" not in gone:
        yield about_handler(stack.things["Function"])


def about_handler(function: str) -> Point:
    """CloudFormation puts the text of ZipFile into index.py: AWS::Lambda::Function Code."""
    handler = client_for("lambda").get_function_configuration(FunctionName=function)["Handler"]
    return point(
        handler == "index.handler",
        "The function finds its handler.",
        f"The handler is {handler}, so each call would fail with an import error: code that stands "
        "in a template is put into a file index.py.",
    )
