"""An experiment: a queue, a function and a trigger between them, in a known state.

The seven steps teach how each is made. Here one call makes them all, or brings what is left
of an earlier run back to the start: no old messages, the wanted code and the wanted
settings. Everything goes through boto3 and works on any target.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, replace
from typing import Any

import boto3
import pandas as pd

from helpers import course, steps
from helpers.account.belongings import (
    as_list,
    ignore_missing,
    look_at_mapping,
    look_at_queue,
    look_at_role,
    look_at_table,
    look_at_trigger,
    refuse_foreign,
    refuse_names,
)
from helpers.account.names import Names, of_experiment
from helpers.clean_up import delete_trigger, wait_until_trigger_is_gone
from helpers.evidence.delivery_table import deliveries
from helpers.logs import log_group, read_events
from helpers.waiting import NOT_READY_YET, wait_until, when_known

SETTLE_LIMIT_S = 60.0
LOOK_AT_LOG_S = 0.3  # CloudWatch Logs allows some five FilterLogEvents calls a second
TOO_SHORT = ("is less than Function timeout",)
FIFO = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
PAUSE_AFTER_EMPTY_S = 0.3  # an empty queue is believed when it stays empty for this long


@dataclass(frozen=True)
class Experiment:
    """What `build` made. `since_ms`: log events before this time belong to earlier runs."""

    name: str
    queue_url: str
    queue_arn: str
    dlq_url: str
    dlq_arn: str
    role_name: str
    trigger_uuid: str
    since_ms: int

    @property
    def group(self) -> str:
        """The log group of the function, which has the experiment's name."""
        return log_group(self.name)

    def events(self) -> pd.DataFrame:
        """The log events of this run, as `helpers.logs.read_events` gives them."""
        return read_events(boto3.client("logs"), self.group, self.since_ms)

    def again(self) -> Experiment:
        """The same experiment, with the time of the run set to now."""
        return replace(self, since_ms=now_ms())


def build(
    name: str,
    handler: str,
    *,
    visibility_s: int = 2,
    timeout_s: int = 1,
    max_receives: int | None = None,
    fifo: bool = False,
    memory_mb: int = 128,
    environment: dict[str, str] | None = None,
    enabled: bool = True,
    **trigger: Any,
) -> Experiment:
    """Make the experiment `name`, one of `course.EXPERIMENTS`, or bring it back to the start.

    `handler` is the source of `lambda_function.py`. `visibility_s` is the queue's visibility
    timeout and `timeout_s` the function's, both in s; after `max_receives` deliveries a
    message goes to the dead-letter queue, with None it never does. Further arguments are
    those of the trigger, such as BatchSize (default 1) or FunctionResponseTypes. Raises
    ValueError for an unknown name, NotOurs if something of that name is not the course's, and
    what AWS refuses as ClientError.
    """
    if name not in course.EXPERIMENTS:
        raise ValueError(f"{name!r} is no experiment: {', '.join(course.EXPERIMENTS)}")
    sqs, lambda_ = boto3.client("sqs"), boto3.client("lambda")
    full_name, suffix = course.name(name), ".fifo" if fifo else ""
    role_name, names = f"{full_name}Role", (full_name + suffix, f"{full_name}-dlq{suffix}")
    refuse_names(of_experiment(name, suffix))
    queue_url, dlq_url = (
        steps.create_queue(sqs, each, course.tags(), FIFO if fifo else None) for each in names
    )
    queue_arn, dlq_arn = steps.queue_arn(sqs, queue_url), steps.queue_arn(sqs, dlq_url)
    existing = steps.find_trigger(lambda_, full_name, queue_arn)
    delete_other_triggers(lambda_, full_name, queue_arn)
    if any(steps.queue_counts(sqs, queue_url).values()):
        if existing:
            switch(lambda_, existing["UUID"], on=False)
        drain(sqs, queue_url)
    drain(sqs, dlq_url)
    policy = {"deadLetterTargetArn": dlq_arn, "maxReceiveCount": max_receives}
    sqs.set_queue_attributes(
        QueueUrl=queue_url,
        Attributes={
            "VisibilityTimeout": str(visibility_s),
            "RedrivePolicy": json.dumps(policy) if max_receives else "",
        },
    )
    role_arn = steps.create_role(boto3.client("iam"), role_name, course.tags())
    steps.create_function(lambda_, full_name, role_arn, course.tags(), handler)
    # It takes Lambda up to a minute to know the queue's visibility timeout.
    not_known_yet = (*NOT_READY_YET, *(TOO_SHORT if timeout_s <= visibility_s else ()))
    bring_up_to_date(
        lambda_, full_name, handler, timeout_s, memory_mb, environment or {}, not_known_yet
    )
    settings = {
        "BatchSize": 1,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        **trigger,
    }
    trigger_uuid = make_trigger(
        lambda_, full_name, queue_arn, settings, existing, enabled, not_known_yet
    )
    return Experiment(
        full_name, queue_url, queue_arn, dlq_url, dlq_arn, role_name, trigger_uuid, now_ms()
    )


def deploy(experiment: Experiment, handler: str) -> Experiment:
    """Give the function new code. The run begins anew; messages stay where they are."""
    steps.deploy_handler(boto3.client("lambda"), experiment.name, handler)
    return experiment.again()


def send(experiment: Experiment, bodies: list[str]) -> list[str]:
    """Send messages, ten in each request, and return their ids.

    To a FIFO queue all go in one message group, and none counts as a duplicate. Raises
    NotOurs for a queue of somebody else, and RuntimeError for the first that SQS refuses.

    SendMessageBatch answers with 200 even if every message of it was refused. Source: SQS
    API Reference, SendMessageBatch.
    """
    sqs, ids = boto3.client("sqs"), []
    refuse_foreign([look_at_queue(sqs, steps.queue_name(experiment.queue_url))])
    fifo = experiment.queue_url.endswith(".fifo")
    for start in range(0, len(bodies), 10):
        entries = [
            {"Id": str(number), "MessageBody": body, **(for_fifo() if fifo else {})}
            for number, body in enumerate(bodies[start : start + 10])
        ]
        answer = sqs.send_message_batch(QueueUrl=experiment.queue_url, Entries=entries)
        for failed in answer.get("Failed", []):
            raise RuntimeError(f"SQS refused a message: {failed['Code']}: {failed['Message']}")
        ids += [sent["MessageId"] for sent in answer["Successful"]]
    return ids


def for_fifo() -> dict[str, str]:
    return {"MessageGroupId": "all", "MessageDeduplicationId": str(uuid.uuid4())}


def send_and_settle(experiment: Experiment, bodies: list[str]) -> pd.DataFrame:
    """Send messages, wait until all are handled or dead, and return their deliveries.

    Each of them has to be delivered once at least. Raises TimeoutError when the queue is not
    empty after 60 s, or when the log does not show all ends another 60 s later.
    """
    ids = send(experiment, bodies)
    settle(experiment)

    def look() -> pd.DataFrame:
        seen = deliveries(experiment.events())
        return seen[seen["message_id"].isin(ids)].reset_index(drop=True)

    return wait_until(
        look,
        lambda seen: seen["message_id"].nunique() == len(ids) and have_ended(seen),
        f"{experiment.name} to have ended all its calls",
        SETTLE_LIMIT_S,
        LOOK_AT_LOG_S,
    )


def wait_for_deliveries(experiment: Experiment, at_least: int) -> pd.DataFrame:
    """The deliveries of this run, as soon as the log shows so many and how all of them ended.

    On AWS log lines come seconds late. Raises TimeoutError after 60 s.
    """
    return wait_until(
        lambda: deliveries(experiment.events()),
        lambda seen: len(seen) >= at_least and have_ended(seen),
        f"{at_least:,} deliveries in the log of {experiment.name}",
        SETTLE_LIMIT_S,
        LOOK_AT_LOG_S,
    )


def own_lines(experiment: Experiment, at_least: int = 0) -> pd.Series:
    """What the function printed in this run, its events left out, oldest first.

    Waits until there are so many lines. Raises TimeoutError after 60 s.
    """
    return wait_until(
        lambda: printed(experiment.events()),
        lambda lines: len(lines) >= at_least,
        f"{at_least:,} lines in the log of {experiment.name}",
        SETTLE_LIMIT_S,
        LOOK_AT_LOG_S,
    )


def printed(events: pd.DataFrame) -> pd.Series:
    """The lines that a function wrote itself, without printed events."""
    own = events.loc[events["kind"] == "", "message"]
    return own[~own.str.startswith('{"Records"')]


def have_ended(seen: pd.DataFrame) -> bool:
    return not (seen["outcome"] == "unknown").any()


def settle(experiment: Experiment, limit_s: float = SETTLE_LIMIT_S) -> None:
    """Wait until the queue has been empty for a moment: every message is handled or dead.

    Raises TimeoutError, with the counts, after `limit_s` seconds. On AWS the counts are
    approximate and can lag by up to a minute.
    """
    sqs = boto3.client("sqs")
    empty_since: list[float] = []

    def look() -> dict[str, int]:
        counts = steps.queue_counts(sqs, experiment.queue_url)
        if any(counts.values()):
            empty_since.clear()
        elif not empty_since:
            empty_since.append(time.monotonic())
        return counts

    def stays_empty(_counts: dict[str, int]) -> bool:
        return bool(empty_since) and time.monotonic() - empty_since[0] >= PAUSE_AFTER_EMPTY_S

    wait_until(look, stays_empty, f"{experiment.name} to be empty", limit_s, 0.05)


def switch(lambda_: Any, trigger_uuid: str, on: bool) -> None:
    """Enable or disable a trigger, and wait until it is. Raises NotOurs for a foreign one."""
    wanted = "Enabled" if on else "Disabled"
    refuse_foreign([look_at_trigger(lambda_, trigger_uuid)])
    steps.settled(lambda_, trigger_uuid)
    if lambda_.get_event_source_mapping(UUID=trigger_uuid)["State"] != wanted:
        lambda_.update_event_source_mapping(UUID=trigger_uuid, Enabled=on)
        steps.settled(lambda_, trigger_uuid, wanted)


def drain(sqs: Any, queue_url: str, limit_s: float = 90.0) -> None:
    """Delete what is in a queue, waiting for messages that are in flight to come back.

    PurgeQueue is allowed once in 60 s only, too seldom for an experiment that is repeated.
    Raises NotOurs for a queue of somebody else.
    """
    refuse_foreign([look_at_queue(sqs, steps.queue_name(queue_url))])
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "30"})

    def look() -> int:
        waiting = sum(steps.queue_counts(sqs, queue_url).values())
        received = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1 if waiting else 0
        ).get("Messages", [])
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(received)
        ]
        if entries:
            sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)
        return waiting + len(entries)

    wait_until(look, lambda left: not left, f"{queue_url} to be empty", limit_s, 0.0)


def allow(experiment: Experiment, action: str, resource: str) -> None:
    """Let the function's role do one action, such as "sqs:SendMessage", on one ARN.

    Raises NotOurs for a role of somebody else. On AWS it can take some seconds until a new
    policy is known everywhere. Source: IAM User Guide, "Troubleshoot IAM: changes that I make
    are not always immediately visible".
    """
    iam = boto3.client("iam")
    refuse_foreign([look_at_role(iam, experiment.role_name)])
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    iam.put_role_policy(
        RoleName=experiment.role_name,
        PolicyName=action.replace(":", "-"),
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def empty_table() -> Any:
    """The table `course.TABLE`, new and empty, as a boto3 Table. Its key is `order_id`.

    A table that was adopted stays, without its items.
    Raises NotOurs if there is a table of that name which is not the course's.
    """
    dynamodb, name = boto3.resource("dynamodb"), course.name(course.TABLE)
    client = dynamodb.meta.client
    existing = look_at_table(client, name)
    refuse_foreign([existing])
    if existing and existing.adopted:
        return without_items(dynamodb.Table(name))
    if existing:
        if client.describe_table(TableName=name)["Table"]["TableStatus"] != "DELETING":
            client.get_waiter("table_exists").wait(TableName=name)
            client.delete_table(TableName=name)
        client.get_waiter("table_not_exists").wait(TableName=name)
    table = dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=as_list(course.tags()),
    )
    table.wait_until_exists()
    return table


def without_items(table: Any) -> Any:
    """The same table, all of its items deleted."""
    keys = [key["AttributeName"] for key in table.key_schema]
    pages = table.meta.client.get_paginator("scan").paginate(TableName=table.name)
    with table.batch_writer() as batch:
        for item in (item for page in pages for item in page["Items"]):
            batch.delete_item(Key={key: item[key] for key in keys})
    return table


def empty_queue(name: str, visibility_s: int) -> str:
    """A queue of the course without messages. Returns its URL.

    `visibility_s` is its visibility timeout in s. Raises NotOurs if there is a queue of that
    name, or a trigger of it, which is not the course's.
    """
    sqs = boto3.client("sqs")
    refuse_names(Names(queues=(name,)))
    url = steps.create_queue(sqs, course.name(name), course.tags())
    drain(sqs, url)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(visibility_s)})
    return url


def delete_other_triggers(lambda_: Any, function_name: str, queue_arn: str) -> None:
    """Delete what else triggers a function: it would go on handling other messages.

    What was adopted is only switched off.
    """
    answer = lambda_.list_event_source_mappings(FunctionName=function_name)
    for mapping in answer["EventSourceMappings"]:
        if mapping.get("EventSourceArn") == queue_arn or mapping["State"] == "Deleting":
            continue
        if look_at_mapping(lambda_, mapping).adopted:
            switch(lambda_, mapping["UUID"], on=False)
        else:
            ignore_missing(lambda uuid=mapping["UUID"]: delete_trigger(uuid))
            wait_until_trigger_is_gone(mapping["UUID"])


def bring_up_to_date(
    lambda_: Any,
    name: str,
    handler: str,
    timeout_s: int,
    memory_mb: int,
    environment: dict[str, str],
    not_known_yet: tuple[str, ...],
) -> None:
    """Give a function this code and these settings, where they differ.

    Lambda's refusals with one of the texts `not_known_yet` are tried again for 60 s.
    """
    wait_until_updated(lambda_, name)
    has = lambda_.get_function_configuration(FunctionName=name)
    if has["CodeSha256"] != steps.package_hash(handler):
        steps.deploy_handler(lambda_, name, handler)
    wanted = (timeout_s, memory_mb, environment)
    variables = has.get("Environment", {}).get("Variables", {})
    if (has["Timeout"], has["MemorySize"], variables) != wanted:
        when_known(
            lambda_.update_function_configuration,
            not_known_yet,
            FunctionName=name,
            Timeout=timeout_s,
            MemorySize=memory_mb,
            Environment={"Variables": environment},
        )
        wait_until_updated(lambda_, name)


def wait_until_updated(lambda_: Any, name: str) -> None:
    """Wait until a function is active and no update of it is in progress."""
    for state in ("function_active_v2", "function_updated_v2"):
        steps.wait_for_function(lambda_, name, state)


def make_trigger(
    lambda_: Any,
    function_name: str,
    queue_arn: str,
    settings: dict[str, Any],
    existing: dict[str, Any] | None,
    enabled: bool,
    not_known_yet: tuple[str, ...],
) -> str:
    """The trigger with these settings. Returns its UUID when it is enabled or disabled."""
    if existing:
        trigger = existing["UUID"]
        steps.settled(lambda_, trigger)
        has = lambda_.get_event_source_mapping(UUID=trigger)
        wanted = {**settings, "State": "Enabled" if enabled else "Disabled"}
        optional = [name for name in ("FilterCriteria", "ScalingConfig") if has.get(name)]
        if any(has.get(key) != value for key, value in wanted.items()) or optional:
            defaults = {"FilterCriteria": {"Filters": []}, "ScalingConfig": {}}
            when_known(
                lambda_.update_event_source_mapping,
                not_known_yet,
                UUID=trigger,
                Enabled=enabled,
                **defaults | settings,
            )
    else:
        trigger = when_known(
            lambda_.create_event_source_mapping,
            not_known_yet,
            EventSourceArn=queue_arn,
            FunctionName=function_name,
            Enabled=enabled,
            Tags=course.tags(),
            **settings,
        )["UUID"]
    steps.settled(lambda_, trigger, "Enabled" if enabled else "Disabled")
    return trigger


def now_ms() -> int:
    return int(time.time() * 1000)
