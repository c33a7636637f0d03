"""The judge: it sends the hidden traffic, waits until all is settled, and looks what came of it.

It asks nothing of the system but what every AWS offers, so it judges on a real account as well.
What it has sent, planned and paid it takes away again.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pandas as pd

from helpers import course, experiments, steps
from helpers.account.refusal import refuse_foreign
from helpers.account.target import aws_pace
from helpers.capstone import bank, settings, system, verdict
from helpers.capstone.report import Report, of_ids
from helpers.capstone.system import System
from helpers.capstone.traffic import Traffic, make_traffic
from helpers.clients import Client, Table, client_for
from helpers.evidence.dead_letters import look_at_dead, put_back
from helpers.evidence.delivery_table import deliveries
from helpers.experiments.experiment import Experiment
from helpers.learning import record
from helpers.waiting import GaveUp, wait_until

SEED = 1
BETWEEN_BURSTS_S = 1.0
HANDLING_S = 120.0  # so long may 300 messages take at their first try, on a busy computer
LONGEST_S = 300.0  # beside AWS's own delays
NO_POLICY_TRIES = 2  # so many visibility timeouts are waited for a queue that never gives up
EQUAL_LOOKS = 2  # that find nothing are believed
COUNTS_LATE_S = 60.0  # so old may the counts of a queue be on AWS
LINES_LATE_S, LINES_LATE_HERE_S = 120.0, 3.0
UNCHECKED = "Unchecked:"  # so begins the reason of a state that an alarm had from the start
METRICS_LATE_S, METRICS_LATE_HERE_S = 300.0, 75.0  # until an alarm has seen what there is to see


def judge(seed: int = SEED) -> Report:
    """Send 300 messages to the learner's system, and judge what became of them: ten points.

    The same seed sends the same messages, but for the run that all ids begin with. It takes
    until the last message has come to its end, by the system's own settings, and 300 s at most;
    on AWS some minutes more, for what AWS shows late. Payouts, plans and dead letters of the run
    are deleted afterwards; when messages are left in the queue then, it is purged. Nothing is sent
    when there is no queue, function or trigger. Raises NotOurs for things that are somebody
    else's, TypeError for a seed that is no whole number, and ClientError when AWS refuses what
    is sent.
    """
    if not isinstance(seed, int):
        raise TypeError(f"seed is {seed!r}; it must be a whole number, such as {SEED}.")
    built = system.look()
    if built.missing:
        return Report(remarks=(f"There is no {' and no '.join(built.missing)} yet.",))
    refuse_foreign([built.queue, built.dead, built.function, built.payouts])
    traffic = make_traffic(seed, name_of_run())
    run = run_of(built)
    table = bank.open_bank()
    print(f"{traffic.messages} messages go to {run.name}. It takes until the last has its end.")
    with cleared(table, traffic, run):
        bank.write_plans(table, traffic)
        send(run, traffic)
        is_quiet = wait_for_quiet(run, limit_s(built))
        race(run, traffic)
        seen = read_log(run, traffic)
        deliver_again(run, traffic, built, seen)
        seen = read_log(run, traffic, at_least=len(seen) + len(traffic.late))
        report = look_at_all(table, traffic, run, seen, is_quiet)
    record.note("capstone", "judge", score=report.score, seed=seed)
    return report


def name_of_run() -> str:
    """Eight digits that no other run has: the seconds since the epoch, as a hexadecimal number."""
    return f"{int(time.time()):x}"


def run_of(built: System) -> Experiment:
    """The system as an experiment, whose run begins now."""
    queue, dead, function = built.queue, built.dead, built.function
    assert queue
    assert function  # for nothing is missing
    return Experiment(
        function.name, queue.key, queue.id, dead.key if dead else "", dead.id if dead else "",
        f"{function.name}Role", built.trigger["UUID"] if built.trigger else "",
        reports_count="ReportBatchItemFailures"
        in (built.trigger or {}).get("FunctionResponseTypes", []),
    ).again()  # fmt: skip


def limit_s(built: System) -> float:
    """How long the system may take by its own settings: all tries of the last message, in s."""
    tries = (built.max_receives or NO_POLICY_TRIES) + 1
    return min(HANDLING_S + tries * built.visibility_s, LONGEST_S) + COUNTS_LATE_S * 2 * aws_pace()


# -- sending and waiting ---------------------------------------------------------------------


def send(run: Experiment, traffic: Traffic) -> None:
    """All bursts, and before them a dead letter: an alarm takes its time, it sees whole minutes."""
    if run.dlq_url:
        client_for("sqs").send_message(QueueUrl=run.dlq_url, MessageBody=traffic.early)
    for number, burst in enumerate(traffic.bursts):
        if number:
            time.sleep(BETWEEN_BURSTS_S)
        experiments.send(run, list(burst))


def wait_for_quiet(run: Experiment, limit_s: float) -> bool:
    """Wait until the queue is empty and stays so. False when it is not in time."""
    sqs, quiet, since = client_for("sqs"), 0, 0.0

    def look() -> int:
        nonlocal quiet, since
        left = sum(steps.queue_counts(sqs, run.queue_url).values())
        quiet, since = (quiet + 1, since or time.monotonic()) if not left else (0, 0.0)
        return left

    def is_quiet(_left: int) -> bool:
        late_s = COUNTS_LATE_S * aws_pace()
        return quiet >= EQUAL_LOOKS and time.monotonic() - since >= late_s

    try:
        wait_until(look, is_quiet, f"{run.name} to have handled all", limit_s, 0.5)
    except GaveUp:
        return False
    return True


def read_log(run: Experiment, traffic: Traffic, at_least: int = 0) -> pd.DataFrame:
    """The deliveries of this run, as soon as the log has one of each message, and so many in all.

    The last look when it has not in time: what counts for the score is not read here.
    """
    seen = pd.DataFrame()
    ids = [*traffic.refunds, *traffic.poison]

    def look() -> int:
        nonlocal seen
        seen = deliveries(run.events())
        bodies = "\n".join(seen["body"])
        return max(sum(id not in bodies for id in ids), at_least - len(seen))

    with suppress(GaveUp):
        late_s = LINES_LATE_HERE_S + LINES_LATE_S * aws_pace()
        wait_until(look, lambda missing: missing <= 0, "the lines of the log", late_s, 1.0)
    return seen


def race(run: Experiment, traffic: Traffic) -> None:
    """Hand some refunds to two workers at the same moment, in two messages each.

    By calls of our own: nobody can tell a trigger when to do so.
    """
    lambda_ = client_for("lambda")
    with ThreadPoolExecutor(2) as pool:
        for id in traffic.racing:
            records = [record_of(traffic.refunds[id].body, run.queue_arn) for _ in range(2)]
            list(pool.map(lambda record: hand_over(lambda_, run.name, [record]), records))


def deliver_again(run: Experiment, traffic: Traffic, built: System, seen: pd.DataFrame) -> None:
    """Hand over some refunds a second time when all is over, as SQS does now and then."""
    lambda_ = client_for("lambda")
    records = [record_of(traffic.refunds[id].body, run.queue_arn, seen) for id in traffic.late]
    size = max(1, min(built.batch_size, len(records)))
    for start in range(0, len(records), size):
        hand_over(lambda_, run.name, records[start : start + size])


def hand_over(lambda_: Client, function: str, records: list[dict[str, Any]]) -> None:
    """Call the function as a trigger does. Its answer does not count: what it has paid does."""
    with suppress(lambda_.exceptions.TooManyRequestsException):
        event = json.dumps({"Records": records}).encode()
        lambda_.invoke(FunctionName=function, Payload=event)


def record_of(body: str, queue_arn: str, seen: pd.DataFrame | None = None) -> dict[str, Any]:
    """A record of an SQS event: that of the message which the log shows with this body, or new."""
    known = pd.DataFrame() if seen is None or seen.empty else seen[seen["body"] == body]
    now_ms = str(int(time.time() * 1000))
    return {
        "messageId": known["message_id"].iloc[0] if len(known) else str(uuid.uuid4()),
        "receiptHandle": "delivered once more",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "2",
            "SentTimestamp": now_ms,
            "SenderId": "the judge",
            "ApproximateFirstReceiveTimestamp": now_ms,
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }


# -- looking ---------------------------------------------------------------------------------


def look_at_all(
    table: Table, traffic: Traffic, run: Experiment, seen: pd.DataFrame, is_quiet: bool
) -> Report:
    """All rows, from what is there now."""
    built = look_again()
    fired = has_fired(built, not is_empty(run.dlq_url))
    dead = take_dead(client_for("sqs"), run.dlq_url, traffic)
    payouts = tuple(bank.payouts_of(table, traffic.run))
    found = verdict.Evidence(traffic, payouts, tuple(dead["body"]))
    most = found.most_at_once()
    rows = [
        *verdict.rows(found),
        settings.about_at_once(built, most),
        settings.about_timeouts(built),
        settings.about_alarm(built, fired),
        settings.about_role(built),
    ]
    remarks = () if is_quiet else ("When time was up, messages were still in the queue.",)
    lives = found.went_wrong() or came_back(traffic, seen)
    return Report(tuple(rows), remarks, seen, dead, tuple(lives), built.visibility_s)


def look_again() -> System:
    """The system as it is; on AWS what was changed a moment ago may be read a minute late."""
    seen: list[System] = []

    def look() -> bool:
        seen.append(system.look())
        rules = (settings.about_timeouts, settings.about_alarm, settings.about_role)
        return all(rule(seen[-1]).right for rule in rules)

    with suppress(GaveUp):
        wait_until(look, bool, "the settings to be read", COUNTS_LATE_S * aws_pace(), 2.0)
    return seen[-1]


def is_empty(queue_url: str) -> bool:
    return not queue_url or not any(steps.queue_counts(client_for("sqs"), queue_url).values())


def came_back(traffic: Traffic, seen: pd.DataFrame) -> list[str]:
    """Ids of the refunds whose worker was killed, of their neighbours, and of some poison."""
    crashed = of_ids(seen, traffic.crashes)
    calls = set(crashed["request_id"]) if len(crashed) else set()
    neighbours = seen[seen["request_id"].isin(calls)]["body"] if len(seen) else []
    ids = [id for body in neighbours if (id := traffic.id_in(body))]
    return list(dict.fromkeys([*traffic.crashes, *list(traffic.poison)[:2], *ids]))


def has_fired(built: System, dead_known: bool) -> bool | None:
    """Whether the alarm is in the state ALARM, as soon as it is; None where there is no seeing it.

    That is where nothing died, the alarm does not watch it, or this AWS evaluates no alarms.
    `dead_known`: whether there is a dead letter to see.
    """
    if not dead_known or any(settings.faults_of_alarm(built)):
        return None
    cloudwatch, name = client_for("cloudwatch"), course.name(course.REFUNDS_ALARM)
    late_s = METRICS_LATE_HERE_S + METRICS_LATE_S * aws_pace()

    def look() -> tuple[str, str]:
        [alarm] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return str(alarm["StateValue"]), str(alarm.get("StateReason", ""))

    with suppress(GaveUp):
        wait_until(look, lambda seen: seen[0] == "ALARM", "the alarm to go off", late_s, 1.0)
        return True
    return None if look()[1].startswith(UNCHECKED) else False


# -- taking away what was brought ------------------------------------------------------------


def take_dead(sqs: Client, dlq_url: str, traffic: Traffic) -> pd.DataFrame:
    """What this run has in the dead-letter queue, taken out of it. All else stays there.

    Columns: `message_id`, `body` and `sent` (UTC), as those of `evidence.read_dead_letters`.
    """
    found: dict[str, dict[str, Any]] = {}
    others: dict[str, str] = {}
    looks = EQUAL_LOOKS if aws_pace() else 1
    nothing = 0 if dlq_url else looks
    while nothing < looks:
        messages = {each["MessageId"]: each for each in look_at_dead(sqs, dlq_url)}
        nothing = 0 if messages.keys() - found.keys() - others.keys() else nothing + 1
        own = {id: each for id, each in messages.items() if traffic.id_in(each["Body"])}
        found |= own
        others |= {id: each["ReceiptHandle"] for id, each in messages.items() if id not in own}
        delete(sqs, dlq_url, [each["ReceiptHandle"] for each in own.values()])
    put_back(sqs, dlq_url, list(others.values()))
    rows = [
        {
            "message_id": id,
            "body": each["Body"],
            "sent": pd.Timestamp(int(each["Attributes"]["SentTimestamp"]), unit="ms", tz="UTC"),
        }
        for id, each in found.items()
    ]
    return pd.DataFrame(rows, columns=["message_id", "body", "sent"])


def delete(sqs: Client, queue_url: str, handles: list[str]) -> None:
    """Delete up to ten messages."""
    entries = [{"Id": str(number), "ReceiptHandle": each} for number, each in enumerate(handles)]
    if entries:
        sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)


@contextmanager
def cleared(table: Table, traffic: Traffic, run: Experiment) -> Iterator[None]:
    """Leave nothing of a run behind, however it ends. Of a queue that is not empty, all goes."""
    sqs = client_for("sqs")
    try:
        yield
    finally:
        if any(steps.queue_counts(sqs, run.queue_url).values()):
            with suppress(sqs.exceptions.PurgeQueueInProgress):
                sqs.purge_queue(QueueUrl=run.queue_url)
        take_dead(sqs, run.dlq_url, traffic)
        bank.forget(table, traffic.run)
