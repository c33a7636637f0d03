"""Building an experiment in three steps: its queues, its function, and the trigger between.

The seven steps teach how each is made. Here one call makes them all, or brings what is left
of an earlier run back to the start: no old messages, the wanted code and the wanted
settings. Everything goes through boto3 and works on any target.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

from helpers import course, steps
from helpers.account.names import of_experiment
from helpers.account.refusal import refuse_names
from helpers.account.things import ignore_missing, look_at_mapping
from helpers.clean_up import delete_trigger, wait_until_trigger_is_gone
from helpers.clients import Client, client_for
from helpers.experiments.changes import switch, wait_until_updated
from helpers.experiments.emptying import change_queue, drain
from helpers.experiments.experiment import Experiment
from helpers.waiting import NOT_READY_YET, when_known

TOO_SHORT = ("is less than Function timeout",)
FIFO = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}


@dataclass(frozen=True)
class Settings:
    """What is wanted of an experiment, by its full name. The fields are those of `build`."""

    name: str
    handler: str
    visibility_s: int
    timeout_s: int
    max_receives: int | None
    fifo: bool
    memory_mb: int
    environment: dict[str, str]
    enabled: bool
    trigger: dict[str, Any]

    @property
    def role_name(self) -> str:
        return f"{self.name}Role"

    @property
    def suffix(self) -> str:
        """What the names of its queues end with."""
        return ".fifo" if self.fifo else ""

    @property
    def not_known_yet(self) -> tuple[str, ...]:
        """Texts of Lambda's refusals that pass: it takes Lambda up to a minute to know the
        role, and the queue's visibility timeout."""
        return (*NOT_READY_YET, *(TOO_SHORT if self.timeout_s <= self.visibility_s else ()))


@dataclass(frozen=True)
class Queues:
    """The two queues. `earlier_trigger` is the UUID of what an earlier run left between the
    queue and the function."""

    url: str
    arn: str
    dlq_url: str
    dlq_arn: str
    earlier_trigger: str | None


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
    wanted = Settings(
        course.name(name), handler, visibility_s, timeout_s, max_receives, fifo, memory_mb,
        environment or {}, enabled, trigger,
    )  # fmt: skip
    refuse_names(of_experiment(name, wanted.suffix))
    sqs, lambda_ = client_for("sqs"), client_for("lambda")
    queues = build_queues(sqs, lambda_, wanted)
    build_function(lambda_, wanted)
    trigger_uuid = build_trigger(lambda_, wanted, queues)
    return Experiment(
        wanted.name, queues.url, queues.arn, queues.dlq_url, queues.dlq_arn, wanted.role_name,
        trigger_uuid, reports_count=bool(trigger.get("FunctionResponseTypes")),
    ).again()  # fmt: skip


# -- first the queues, and no messages in them ---------------------------------------------


def build_queues(sqs: Client, lambda_: Client, wanted: Settings) -> Queues:
    """The queue and its dead-letter queue, both empty. What handled other messages is off."""
    url, dlq_url = (
        steps.create_queue(sqs, each + wanted.suffix, course.tags(), FIFO if wanted.fifo else None)
        for each in (wanted.name, f"{wanted.name}-dlq")
    )
    arn, dlq_arn = steps.queue_arn(sqs, url), steps.queue_arn(sqs, dlq_url)
    earlier = steps.find_trigger(lambda_, wanted.name, arn)
    queues = Queues(url, arn, dlq_url, dlq_arn, earlier["UUID"] if earlier else None)
    delete_other_triggers(lambda_, wanted.name, arn)
    empty_both(sqs, lambda_, queues)
    policy = {"deadLetterTargetArn": dlq_arn, "maxReceiveCount": wanted.max_receives}
    change_queue(
        sqs,
        url,
        VisibilityTimeout=str(wanted.visibility_s),
        RedrivePolicy=json.dumps(policy) if wanted.max_receives else "",
    )
    return queues


def empty_both(sqs: Client, lambda_: Client, queues: Queues) -> None:
    """Delete what an earlier run left in the queues."""
    if any(steps.queue_counts(sqs, queues.url).values()):
        if queues.earlier_trigger:
            switch(lambda_, queues.earlier_trigger, on=False)
        drain(sqs, queues.url)
    drain(sqs, queues.dlq_url)


def delete_other_triggers(lambda_: Client, function_name: str, queue_arn: str) -> None:
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
            ignore_missing(partial(delete_trigger, mapping["UUID"]))
            wait_until_trigger_is_gone(mapping["UUID"])


# -- then the function, with the wanted code and settings ----------------------------------


def build_function(lambda_: Client, wanted: Settings) -> None:
    """The role and the function; what is there already is changed where it differs.

    Refusals that pass are tried again for 120 s.
    """
    role_arn = steps.create_role(client_for("iam"), wanted.role_name, course.tags())
    steps.create_function(lambda_, wanted.name, role_arn, course.tags(), wanted.handler)
    wait_until_updated(lambda_, wanted.name)
    has = lambda_.get_function_configuration(FunctionName=wanted.name)
    if has["CodeSha256"] != steps.package_hash(wanted.handler):
        steps.deploy_handler(lambda_, wanted.name, wanted.handler)
    variables = has.get("Environment", {}).get("Variables", {})
    settings = (wanted.timeout_s, wanted.memory_mb, wanted.environment)
    if (has["Timeout"], has["MemorySize"], variables) != settings:
        when_known(
            lambda_.update_function_configuration,
            wanted.not_known_yet,
            FunctionName=wanted.name,
            Timeout=wanted.timeout_s,
            MemorySize=wanted.memory_mb,
            Environment={"Variables": wanted.environment},
        )
        wait_until_updated(lambda_, wanted.name)


# -- at last the trigger, which starts it --------------------------------------------------


def build_trigger(lambda_: Client, wanted: Settings, queues: Queues) -> str:
    """The trigger with the wanted settings. Returns its UUID when it is enabled or disabled.

    Refusals that pass are tried again for 120 s.
    """
    settings = {
        "BatchSize": 1,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        **wanted.trigger,
    }
    uuid = queues.earlier_trigger
    if uuid:
        update_trigger(lambda_, uuid, settings, wanted)
    else:
        uuid = when_known(
            lambda_.create_event_source_mapping,
            wanted.not_known_yet,
            EventSourceArn=queues.arn,
            FunctionName=wanted.name,
            Enabled=wanted.enabled,
            Tags=course.tags(),
            **settings,
        )["UUID"]
    steps.settled(lambda_, uuid, "Enabled" if wanted.enabled else "Disabled")
    return uuid


def update_trigger(lambda_: Client, uuid: str, settings: dict[str, Any], wanted: Settings) -> None:
    """Give a trigger these settings and no others, where they differ."""
    steps.settled(lambda_, uuid)
    has = lambda_.get_event_source_mapping(UUID=uuid)
    state = "Enabled" if wanted.enabled else "Disabled"
    differs = any(has.get(key) != value for key, value in {**settings, "State": state}.items())
    if differs or has.get("FilterCriteria") or has.get("ScalingConfig"):
        defaults: dict[str, Any] = {"FilterCriteria": {"Filters": []}, "ScalingConfig": {}}
        when_known(
            lambda_.update_event_source_mapping,
            wanted.not_known_yet,
            UUID=uuid,
            Enabled=wanted.enabled,
            **defaults | settings,
        )
