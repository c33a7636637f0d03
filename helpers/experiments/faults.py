"""Seven faults for notebook 12, which this file gives away: do the notebook first.

Each builds the experiment BreakIt with one thing wrong in it. Whatever an earlier fault or
its cure left behind is brought back to the start.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from helpers import course, experiments, steps
from helpers.account.belongings import broken_queues, find_queues
from helpers.account.names import Names, of_experiment
from helpers.account.refusal import refuse_foreign, refuse_names
from helpers.account.things import ignore_missing, look_at_function
from helpers.clients import Client, client_for
from helpers.experiments.changes import wait_until_updated
from helpers.experiments.emptying import change_queue
from helpers.experiments.experiment import Experiment
from helpers.waiting import wait_until, when_role_is_ready

HANDLER = """\
import json

def lambda_handler(event, context):
    print(json.dumps(event))
    [record] = event["Records"]
    order = json.loads(record["body"])
    print("charged", order["order_id"], order["cents"])
"""
STORES = """\
import boto3, json, os
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])

def lambda_handler(event, context):
    print(json.dumps(event))
    [record] = event["Records"]
    order = json.loads(record["body"])
    table.put_item(Item=order)
    print("charged", order["order_id"], order["cents"])
"""
SLOW = f"import time\n{HANDLER}    time.sleep(1.5)\n"
SWALLOWS = """\
import json

def lambda_handler(event, context):
    print(json.dumps(event))
    [record] = event["Records"]
    try:
        order = json.loads(record["body"])
        print("charged", order["order_id"], order["cents"])
    except Exception as error:
        print("skipped", order["order_id"], "because of", repr(error))
"""
# The filter of fault 7, as a trigger of another shop's orders would have it.
ONLY_B = json.dumps({"body": {"order_id": [{"prefix": "B"}]}})
FILTERS = {"Filters": [{"Pattern": ONLY_B}]}


def build(*which: int | str, word: str = "") -> Experiment:
    """Build BreakIt with fault `which`, 1 to 7; two of them, if the second is 7; or a "secret".

    `build(2, 7)` has both faults, and the second may hide the first. `build("secret")` draws one
    or two faults and does not tell which; with the same `word` everybody gets the same, and
    `reveal` tells what it was. Raises ValueError for anything else, and NotOurs if something that
    it needs is not the course's.
    """
    wanted = draw(word) if which == (SECRET,) else which
    chosen = next((each for each in ALLOWED if each == wanted), None)
    if chosen is None:
        raise ValueError(
            f"There is no fault {', '.join(map(repr, which))}; there are "
            f"{', '.join(map(str, FAULTS))}, {SECRET!r}, and 1 to 4 together with 7."
        )
    forget_earlier_faults()
    first, *more = chosen
    test = FAULTS[first]()
    Built.faults = chosen
    return put_filter(test) if more else test


def reveal() -> None:
    """Say what was wrong in what `build` built last."""
    if not Built.faults:
        print('Nothing is built yet: faults.build("secret").')
    for number in Built.faults:
        said = (FAULTS[number].__doc__ or "").splitlines()[0]
        print(f"Fault {number}: {said}")


def draw(word: str) -> tuple[int, ...]:
    """One or two faults, the same for the same word; without a word by chance."""
    chance = random.Random(word) if word else random.SystemRandom()
    return chance.choice(SECRETS)


def missing_permission() -> Experiment:
    """The handler writes to a table, and the role does not let it."""
    table = experiments.empty_table()
    return experiments.build(
        course.BREAK_IT, STORES, visibility_s=2, timeout_s=2, max_receives=2, memory_mb=512,
        environment={"TABLE": table.name},
    )  # fmt: skip


def short_visibility() -> Experiment:
    """Somebody made the queue's visibility timeout shorter than the work."""
    test = experiments.build(course.BREAK_IT, SLOW, visibility_s=4, timeout_s=4)
    change_queue(client_for("sqs"), test.queue_url, VisibilityTimeout="1")
    course.let_aws_catch_up(60, "every server of the queue to know its settings")
    return test.again()


def dead_letters_of_the_function() -> Experiment:
    """The dead-letter queue is that of the function, for asynchronous calls."""
    test = experiments.build(course.BREAK_IT, HANDLER, visibility_s=1)
    experiments.allow(test, "sqs:SendMessage", test.dlq_arn)
    set_dead_letter_queue(client_for("lambda"), test.name, test.dlq_arn)
    return test.again()


def swallowed_exception() -> Experiment:
    """The handler catches every exception and returns."""
    return experiments.build(course.BREAK_IT, SWALLOWS, visibility_s=1, max_receives=2)


def forgotten_trigger() -> Experiment:
    """Nothing is wrong, but somebody forgot that there is a trigger."""
    return experiments.build(course.BREAK_IT, HANDLER)


def deleted_queue() -> Experiment:
    """The queue was deleted. It had a name of its own: a deleted one is blocked for 60 s."""
    sqs, lambda_ = client_for("sqs"), client_for("lambda")
    test = experiments.build(course.BREAK_IT, HANDLER, enabled=False)
    policy = {"deadLetterTargetArn": test.dlq_arn, "maxReceiveCount": 3}
    settings = {"VisibilityTimeout": "10", "RedrivePolicy": json.dumps(policy)}
    name = f"{test.name}-{int(time.time() * 1000)}"
    url = steps.create_queue(sqs, name, course.tags(), settings)
    arn = steps.queue_arn(sqs, url)
    uuid = steps.add_trigger(lambda_, test.name, arn, course.tags())
    sqs.delete_queue(QueueUrl=url)
    return replace(test.again(), queue_url=url, queue_arn=arn, trigger_uuid=uuid)


def filtering_trigger() -> Experiment:
    """The trigger has a filter: what does not match is deleted, and no function sees it.

    Source: Lambda Developer Guide, "Control which events Lambda sends to your function".
    """
    test = experiments.build(course.BREAK_IT, HANDLER, FilterCriteria=FILTERS)
    course.let_aws_catch_up(60, "every poller to know the trigger's settings")
    return test.again()


def put_filter(test: Experiment) -> Experiment:
    """Give the trigger of a fault that of fault 7, too."""
    lambda_ = client_for("lambda")
    lambda_.update_event_source_mapping(UUID=test.trigger_uuid, FilterCriteria=FILTERS)
    wait_until(
        lambda: lambda_.get_event_source_mapping(UUID=test.trigger_uuid)["State"],
        lambda state: state in ("Enabled", "Disabled"),
        "the trigger's filter to be in place",
    )
    course.let_aws_catch_up(60, "every poller to know the trigger's settings")
    return test.again()


FAULTS: dict[int, Callable[[], Experiment]] = dict(
    enumerate(
        (
            missing_permission,
            short_visibility,
            dead_letters_of_the_function,
            swallowed_exception,
            forgotten_trigger,
            deleted_queue,
            filtering_trigger,
        ),
        start=1,
    )
)


SECRET = "secret"
COMBINED = tuple((first, 7) for first in (1, 2, 3, 4))
SECRETS = (*((number,) for number in (1, 2, 3, 4, 7)), *COMBINED)
ALLOWED = (*((number,) for number in FAULTS), *COMBINED)


class Built:
    """The faults that were built last in this kernel."""

    faults: tuple[int, ...] = ()


def forget_earlier_faults() -> None:
    """Undo what `experiments.build` does not know of."""
    lambda_, iam = client_for("lambda"), client_for("iam")
    name = course.name(course.BREAK_IT)
    refuse_names(of_experiment(course.BREAK_IT) + Names(tables=(course.TABLE,)))
    function = ignore_missing(lambda: lambda_.get_function_configuration(FunctionName=name))
    if function and "DeadLetterConfig" in function:
        set_dead_letter_queue(lambda_, name, "")
    role = f"{name}Role"
    policies = ignore_missing(lambda: iam.list_role_policies(RoleName=role)["PolicyNames"])
    for policy in policies or []:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
    sqs = client_for("sqs")
    for queue in find_queues(broken_queues()):
        if queue.ours and not queue.adopted:
            ignore_missing(partial(sqs.delete_queue, QueueUrl=queue.key))


def set_dead_letter_queue(lambda_: Client, name: str, arn: str) -> None:
    """Give a function a dead-letter queue of its own, or with "" none.

    Raises NotOurs for a function of somebody else.
    """
    refuse_foreign([look_at_function(lambda_, name)])
    wait_until_updated(lambda_, name)
    when_role_is_ready(
        lambda_.update_function_configuration,
        FunctionName=name,
        DeadLetterConfig={"TargetArn": arn},
    )
    wait_until_updated(lambda_, name)
