"""The first cell of every notebook: connect, say what to, and catch up.

`begin("04_add_trigger")` makes whatever earlier steps should have left behind, so that a
reader can start anywhere. It never changes what is there, and what carries no tag of this
course run it refuses by name, before anything is made.
"""

from __future__ import annotations

import importlib.util
import platform
import sys
from dataclasses import dataclass
from datetime import date as day
from typing import TYPE_CHECKING

from helpers import copies, meter, steps
from helpers.account import adoption, forecast, names, refusal, sentences, things
from helpers.account.names import (
    BREAK_IT,
    CAPSTONE,
    EXPERIMENTS,
    FUNCTION,
    JOBS_QUEUE,
    NOTEBOOKS,
    PAYOUTS,
    PIZZA_QUEUE,
    POLLED_QUEUE,
    PRACTICE_FUNCTION,
    PRACTICE_QUEUE,
    PRACTICE_ROLE,
    PRACTICE_STACK,
    QUEUE,
    REFUNDS_ALARM,
    REFUNDS_DONE,
    ROLE,
    STACK,
    TABLE,
    TAG,
    name,
    tags,
)
from helpers.account.target import aws_pace, connect
from helpers.clients import Client, client_for
from helpers.copies import afresh
from helpers.learning import board, handlers, minutes, record
from helpers.logs import answered_ms, log_group, read_events, wait_for_line
from helpers.waiting import GaveUp, wait

if TYPE_CHECKING:
    from helpers.learning.progress import Progress

__all__ = [  # a notebook needs one module for its names and its first cell
    "BREAK_IT",
    "CAPSTONE",
    "EXPERIMENTS",
    "FUNCTION",
    "JOBS_QUEUE",
    "NOTEBOOKS",
    "PAYOUTS",
    "PIZZA_QUEUE",
    "POLLED_QUEUE",
    "PRACTICE_FUNCTION",
    "PRACTICE_QUEUE",
    "PRACTICE_ROLE",
    "PRACTICE_STACK",
    "QUEUE",
    "REFUNDS_ALARM",
    "REFUNDS_DONE",
    "ROLE",
    "STACK",
    "TABLE",
    "TAG",
    "Pipeline",
    "adopt",
    "afresh",
    "begin",
    "catch_up",
    "check_environment",
    "cost",
    "join",
    "leave",
    "let_aws_catch_up",
    "name",
    "page_to_keep",
    "progress",
    "queue_tags",
    "tags",
]

OLDEST_PYTHON = (3, 11)
LONGEST_WAIT_S = 300


@dataclass(frozen=True)
class Pipeline:
    """What the seven steps build. Fields are None until their step is done."""

    queue_url: str | None = None
    queue_arn: str | None = None
    role_arn: str | None = None
    function_arn: str | None = None
    trigger_uuid: str | None = None


def begin(notebook: str) -> None:
    """Connect, print what the cells talk to, and make what the notebook builds on.

    Prints two or three lines; on a real account also what will be made, and what it may cost.
    Raises ValueError for an unknown notebook, WrongSetting for a
    setting that is not allowed, and NotOurs, before the first change, when somebody else's
    things have the names that the notebook writes to.
    """
    sentences.show_as_sentences(refusal.NotOurs, GaveUp, handlers.WrongHandler)
    handlers.load()
    if notebook not in NOTEBOOKS:
        raise ValueError(f"{notebook!r} is no notebook of this course: {', '.join(NOTEBOOKS)}")
    target = connect()
    meter.start()
    print(f"Connected to: {target.description}.")
    if target.note:
        print(target.note)
    if target.name == "aws":
        print(forecast.describe(notebook))
    if seat := board.rejoin():
        print(f"The board of your class sees your checks, as {seat.name}; course.leave() ends it.")
    record.begin(notebook)
    minutes.watch()
    copies.look(notebook)
    refusal.refuse_names(names.WRITES[notebook])
    step = int(notebook[:2])
    if 2 <= step <= 7:
        make_missing(step)
        print(f"In place from earlier steps: {', '.join(left_by_earlier(step))}.")


def left_by_earlier(step: int) -> list[str]:
    """What the steps before `step` leave behind, in words."""
    words = [
        f"queue {name(QUEUE)}",
        f"role {name(ROLE)}",
        f"function {name(FUNCTION)}",
        "trigger",
        "handler",
        "a first message",
    ]
    return words[: step - 1]


def catch_up(step: int) -> Pipeline:
    """Make what the steps before `step` (2 to 8) leave behind, where it is missing.

    Raises NotOurs, before the first change, for what somebody else made under these names.
    """
    refusal.refuse_names(names.of_steps(step))
    return make_missing(step)


def make_missing(step: int) -> Pipeline:
    sqs, lambda_ = client_for("sqs"), client_for("lambda")
    queue_url = steps.create_queue(sqs, name(QUEUE), tags())
    queue_arn = steps.queue_arn(sqs, queue_url)
    role_arn = function_arn = trigger = None
    if step > 2:
        role_arn = steps.create_role(client_for("iam"), name(ROLE), tags())
        if step > 3:
            function_arn = steps.create_function(lambda_, name(FUNCTION), role_arn, tags())
    if step > 4:
        trigger = steps.add_trigger(lambda_, name(FUNCTION), queue_arn, tags())
    if step > 5:
        replace_stub(lambda_)
    if step > 6:
        send_first_message(sqs, queue_url)
    return Pipeline(queue_url, queue_arn, role_arn, function_arn, trigger)


def replace_stub(lambda_: Client) -> None:
    """Deploy the handler of step 5, unless the learner has deployed something already."""
    deployed = lambda_.get_function_configuration(FunctionName=name(FUNCTION))["CodeSha256"]
    if deployed == steps.package_hash(steps.HELLO_STUB):
        steps.deploy_handler(lambda_, name(FUNCTION))


def send_first_message(sqs: Client, queue_url: str) -> None:
    """Send the message of step 6, and wait for the line that it leaves in the log.

    A direct call of the function leaves the same line: what was there before does not count.
    Raises TimeoutError when the message does not get through.
    """
    logs, group = client_for("logs"), log_group(name(FUNCTION))
    before = read_events(logs, group)["time"]
    newest_ms = int(before.iloc[-1].timestamp() * 1000) if len(before) else 0
    sent = steps.send_message(sqs, queue_url)
    wait_for_line(logs, group, "12345", max(answered_ms(sent), newest_ms + 1))


def let_aws_catch_up(seconds: float, why: str) -> None:
    """Wait for what AWS needs time for, with a bar that says `why`; on the local AWS not at all.

    For what no call can tell, such as a setting that must reach every server of a queue. A
    rehearsal waits its scale times `seconds`. Raises ValueError for more than 300 s, and for
    less than none.
    """
    if not 0 <= seconds <= LONGEST_WAIT_S:
        raise ValueError(f"seconds is {seconds!r}; it must be from 0 to {LONGEST_WAIT_S}.")
    wait(seconds * aws_pace(), why)


def join(address: str | None = None, name: str = "") -> None:
    """Show the board of your class what you reach: checks that you run, and your guesses.

    `address` stands on the board; on a class server it is not needed. `name` is how the board calls
    you; without one it chooses an animal. Nothing else is sent, and `leave()` ends it. What cannot
    be is said in a sentence; nothing is raised.
    """
    try:
        seat = board.join(address, name)
    except board.NotReached as error:
        print(f"You have not joined. {error}")
        return
    print(
        f"You are on the board as {seat.name}. It sees your checks and your guesses, nothing else."
    )


def leave() -> None:
    """Leave the board of your class, which forgets what it saw of you."""
    try:
        seat = board.leave()
    except board.NotReached as error:
        print(f"Nothing more is sent. {error}")
        return
    print("The board has forgotten you." if seat else "You are on no board.")


def cost() -> meter.Bill:
    """What this notebook has cost since its first cell, had it run on AWS, as a table.

    Its requests are counted, in chunks of 64 KB; the time of its functions and the bytes of
    their lines come from the log; a trigger's own polls are estimated. What handlers themselves
    ask of AWS nobody sees from here. Prices: helpers/prices.py. Raises RuntimeError before the
    first cell has run.
    """
    return meter.read()


def adopt(kind: str, name: str, id: str) -> None:
    """Let the course use a thing that you made without it, and its clean-up leave it alone.

    `kind` is "queue", "role", "function", "trigger", "table", "stack", "alarm" or "log group"; `id`
    is the ARN, or a trigger's UUID: the refusal of a notebook's first cell has the whole call.
    Raises ValueError when name and id are not those of one thing.
    """
    thing = adoption.adopt(kind, name, id)
    print(
        f"Adopted: {thing.kind} {thing.name}. From now on the notebooks may change and empty it, "
        "and the clean-up leaves it alone."
    )
    if thing.owner not in (None, tags()[TAG]):
        print(f"Its tag said {thing.owner!r} before: that learner's notebooks now leave it alone.")


def queue_tags(queue: str) -> dict[str, str]:
    """The tags to create a queue with: the course's, or none for one that was adopted.

    CreateQueue compares tags, and an adopted queue has more of them than the course's.
    """
    found = things.look_at_queue(client_for("sqs"), queue)
    return {} if found and found.adopted else tags()


def progress() -> Progress:
    """How far you are, as a table and a picture: notebooks, exercises, guesses, and the time."""
    from helpers.learning import (
        progress as far,
    )  # with matplotlib, which a first cell need not load

    return far.progress()


def page_to_keep(name: str = "", date: bool = True) -> None:
    """Write a page with what you did, to print or to keep, into your own folder.

    `name` and today's `date` stand on it if you want them. Nothing leaves the computer. What
    cannot be is said in a sentence; nothing is raised.
    """
    from helpers.learning import page

    done = progress()
    if not isinstance(name, str):
        print(f'name is {name!r}; it must be a text, such as "Anna".')
        return
    if done.remark:
        print("There is no page to keep yet.", done.remark.split(". ")[0] + ".")
        return
    try:
        path = page.keep(done, name, day.today() if date else None)
    except OSError as error:
        print(f"The page cannot be kept: {error}.")
        return
    where = f"{path.parent.name}/{path.name}"
    copies.show(f"Your page: [{where}](../{where}). Nothing of it has left this computer.")


def check_environment() -> None:
    """Say whether Python and the packages of the course are here, and what to do if not."""
    problems = []
    if sys.version_info < OLDEST_PYTHON:
        problems.append(
            f"Python {platform.python_version()} is too old: the course needs 3.11 or newer."
        )
    problems += [
        f"The package {package} is missing: run `make setup` again."
        for package in ("boto3", "pandas", "matplotlib")
        if importlib.util.find_spec(package) is None
    ]
    print("\n".join(problems) or "Python, boto3, pandas and matplotlib are here. All is well.")
