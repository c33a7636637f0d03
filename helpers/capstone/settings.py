"""Rows about what was built: how many at once, how long, the alarm, the role.

Each is a function of what was read, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from helpers import course, steps
from helpers.capstone.rows import Row, judged, unseen
from helpers.capstone.system import System, as_list
from helpers.capstone.traffic import SLOW_MS
from helpers.logs import log_group

MOST_AT_ONCE = 2
TIMES = 6
"""So many times the function's timeout, and the batching window on top, is a message to be hidden.
Source: Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping"."""
METRIC = "ApproximateNumberOfMessagesVisible"
FAR = 1.0  # one dead message is one too many


# -- how many at once, and how long ----------------------------------------------------------


def about_at_once(system: System, most_seen: int) -> Row:
    """MaximumConcurrency is 2, and no more were seen. `most_seen`: environments that paid at once.

    Source: Lambda Developer Guide, "Configuring maximum concurrency for Amazon SQS event sources".
    """
    set_to = ((system.trigger or {}).get("ScalingConfig") or {}).get("MaximumConcurrency")
    wrong = f"The trigger's MaximumConcurrency is {set_to or 'not set'}"
    if most_seen > MOST_AT_ONCE:
        wrong += f", and {most_seen} workers were seen to pay at the same time"
    return judged(
        "never more than two at once",
        set_to == MOST_AT_ONCE and most_seen <= MOST_AT_ONCE,
        "The trigger has MaximumConcurrency 2, and no more than two workers paid at once.",
        f"{wrong}.",
        "Set ScalingConfig of the trigger; reserved concurrency would throttle, and throttled "
        "messages count as received.",
        "10",
    )


def about_timeouts(system: System) -> Row:
    """A batch fits into the function's timeout, and six of those into the visibility timeout."""
    hidden_s, timeout_s = system.visibility_s, int(system.configuration.get("Timeout", 0))
    window_s = int((system.trigger or {}).get("MaximumBatchingWindowInSeconds") or 0)
    wanted_s = TIMES * timeout_s + window_s
    slowest_s = system.batch_size * SLOW_MS / 1000
    wrong = f"The queue hides a message for {hidden_s} s, and a call may take {timeout_s} s"
    advice = f"AWS advises {TIMES} times as long, and the batching window: {wanted_s} s here."
    if hidden_s >= wanted_s:
        wrong = (
            f"A batch of {system.batch_size} may take {slowest_s:g} s at the bank alone, and the "
            f"function is ended after {timeout_s} s"
        )
        advice = "Take smaller batches, or a longer timeout, and then a longer visibility timeout."
    return judged(
        "timeouts that fit each other",
        hidden_s >= wanted_s and slowest_s < timeout_s,
        f"A batch fits into {timeout_s} s, and {hidden_s} s of visibility timeout are enough.",
        f"{wrong}.",
        advice,
        "08",
    )


# -- the alarm -------------------------------------------------------------------------------


def about_alarm(system: System, fired: bool | None = None) -> Row:
    """One dead message raises the alarm. `fired`: whether it was seen to; None: nothing to see."""
    asked = "an alarm on the dead-letter queue"
    if why := system.unseen.get("alarm"):
        return unseen(asked, why)
    wrong, advice = next(faults_of_alarm(system), ("", ""))
    praise = "One dead message raises the alarm, by its settings."
    if fired:
        praise = "One dead message raises the alarm, and it went off."
    return judged(asked, not wrong, praise, wrong, advice, "13")


def faults_of_alarm(system: System) -> Iterator[tuple[str, str]]:
    """What is wrong with the alarm, and what to do; the worst first."""
    alarm, name = system.alarm_settings, course.name(course.REFUNDS_ALARM)
    dead = f"{course.name(course.CAPSTONE)}-dlq"
    if not alarm:
        yield f"There is no alarm {name}.", "Create it with put_metric_alarm."
        return
    watched = {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])}
    queue = watched.get("QueueName")
    if (alarm.get("Namespace"), queue) != ("AWS/SQS", dead) or len(watched) != 1:
        yield (
            f"The alarm {name} watches {queue or 'no queue'}, not {dead}.",
            "Namespace AWS/SQS, and the one dimension QueueName says which queue.",
        )
    if alarm.get("MetricName") != METRIC:
        yield (
            f"The alarm {name} watches {alarm.get('MetricName')}.",
            f"SQS moves dead messages itself, and does not count that as sending: take {METRIC}.",
        )
    if alarm.get("Statistic") not in ("Maximum", "Sum", "Average") or not goes_off(alarm):
        yield (
            f"The alarm {name} does not go off for one dead message: {in_words(alarm)}.",
            "Let its Maximum be compared with 0: GreaterThanThreshold.",
        )
    if alarm.get("TreatMissingData") == "breaching":
        yield (
            f"The alarm {name} also goes off when there is no data, as for an idle queue.",
            "Set TreatMissingData to notBreaching.",
        )


def goes_off(alarm: dict[str, Any]) -> bool:
    """Whether one message is beyond the threshold, and none is not."""
    threshold = float(alarm.get("Threshold", FAR + 1))
    if alarm.get("ComparisonOperator") == "GreaterThanThreshold":
        return 0 <= threshold < FAR
    is_at_least = alarm.get("ComparisonOperator") == "GreaterThanOrEqualToThreshold"
    return is_at_least and 0 < threshold <= FAR


def in_words(alarm: dict[str, Any]) -> str:
    return (
        f"{alarm.get('Statistic', 'no Statistic')} {alarm.get('ComparisonOperator')} "
        f"{alarm.get('Threshold'):g}"
    )


# -- the role --------------------------------------------------------------------------------

TAKES = ("sqs:receivemessage", "sqs:deletemessage", "sqs:getqueueattributes")
WRITES_LOGS = ("logs:createloggroup", "logs:createlogstream", "logs:putlogevents")
PAYS = ("dynamodb:query", "dynamodb:putitem")
REMEMBERS = (
    *("dynamodb:getitem", "dynamodb:putitem", "dynamodb:updateitem", "dynamodb:deleteitem"),
    *("dynamodb:query", "dynamodb:conditioncheckitem"),
)
# AWS made these for such functions: notebook 02 uses one of them.
FROM_AWS = {
    steps.POLICY_ARN: (*TAKES, *WRITES_LOGS),
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole": WRITES_LOGS,
}


def about_role(system: System) -> Row:
    """Nothing too much stands in the policies of the function's role.

    The rule, by the documents alone: of AWS's managed policies the two for such functions may be
    attached. In every other statement that allows, each action is named in full and is one that
    this system may need on the resource; each resource is one of the learner's own by its ARN; a
    `*` stands nowhere but behind the log group. What a condition or a Deny takes away again does
    not count.
    """
    asked = "a role with nothing too much"
    if why := system.unseen.get("role"):
        return unseen(asked, why)
    wrong = next(too_much(system), "")
    return judged(
        asked,
        not wrong,
        "The role's policies name each action, and the things that they are needed on.",
        wrong,
        "Name what the handler calls, on the ARN that it calls it on.",
        "02",
    )


def too_much(system: System) -> Iterator[str]:
    """What the role has no need of, the first first."""
    if system.role is None:
        yield f"There is no role {course.name(course.CAPSTONE)}Role."
        return
    used = system.configuration.get("Role", system.role.id)
    if used != system.role.id:
        yield f"The function runs with another role, {used.rsplit('/', 1)[-1]}."
    for arn in system.attached:
        if arn not in FROM_AWS:
            yield f"The role has AWS's {arn.rsplit('/', 1)[-1]}, which is for more than this job."
    needs = needs_of(system)
    for statement in system.statements:
        if statement.get("Effect") == "Allow":
            yield from faults_of_statement(statement, needs)


def faults_of_statement(
    statement: dict[str, Any], needs: dict[str, tuple[str, ...]]
) -> Iterator[str]:
    for key in ("NotAction", "NotResource"):
        if key in statement:
            yield f"A statement allows by {key}: all else."
    for resource in as_list(statement.get("Resource", [])):
        if resource not in needs:
            yield f"A statement allows something on {resource}."
            continue
        for action in as_list(statement.get("Action", [])):
            if action.lower() not in needs[resource]:
                yield f"{action} on {resource.rsplit(':', 1)[-1]} is not needed."


def needs_of(system: System) -> dict[str, tuple[str, ...]]:
    """The actions that this system may need, by the ARN of the resource."""
    needs: dict[str, tuple[str, ...]] = {}
    if system.queue:
        needs[system.queue.id] = (*TAKES, "sqs:changemessagevisibility")
    if system.dead:
        needs[system.dead.id] = ("sqs:sendmessage",)
    if system.done:
        needs[system.done.id] = REMEMBERS
    if system.payouts:
        needs[system.payouts.id] = PAYS
    group = log_group(course.name(course.CAPSTONE))
    account = system.role.id.split(":")[4] if system.role else ""
    arn = f"arn:aws:logs:{system.region}:{account}:log-group:{group}"
    return needs | {arn: WRITES_LOGS, f"{arn}:*": WRITES_LOGS}


def lacking(system: System) -> list[str]:
    """Actions that the function cannot do without, and its role does not allow; by the documents.

    Of what the handler itself needs in its own table nothing is said: that is up to the design.
    """
    given = {(action, "*") for arn in system.attached for action in FROM_AWS.get(arn, ())}
    for statement in system.statements:
        if statement.get("Effect") == "Allow":
            for resource in as_list(statement.get("Resource", [])):
                actions = as_list(statement.get("Action", []))
                given |= {(action.lower(), resource) for action in actions}
    wanted = [(action, system.queue.id) for action in TAKES if system.queue]
    wanted += [(action, system.payouts.id) for action in PAYS if system.payouts]
    wanted += [(action, ":log-group:") for action in WRITES_LOGS[1:]]
    return [action for action, on in wanted if not any(covers(each, action, on) for each in given)]


def covers(given: tuple[str, str], action: str, on: str) -> bool:
    """Whether an action that is given on a resource is the one that is wanted."""
    named = given[0] in (action, f"{action.split(':', maxsplit=1)[0]}:*", "*")
    return named and (given[1] == "*" or on in given[1])
