"""The names of all that the course makes, by the notebook that makes or changes it.

What stands here is without the learner's prefix; `name` puts it before.
"""

from __future__ import annotations

from dataclasses import dataclass

from helpers.account.target import prefix

QUEUE, ROLE, FUNCTION = "DemoQueueLambda", "ProcessSQSMessageRole", "ProcessSQSMessage"
PIZZA_QUEUE, PRACTICE_QUEUE, PRACTICE_ROLE = "PizzaOrders", "PracticeQueue", "PracticeRole"
PRACTICE_FUNCTION = "PracticeFunction"
TABLE, JOBS_QUEUE, POLLED_QUEUE = "ProcessedOrders", "VideoJobs", "PolledQueue"
# Each has a queue, a dead-letter queue, a function and a role of its own: see helpers/experiments.
BREAK_IT, WATCH = "BreakIt", "Watch"
EXPERIMENTS = (
    *("Retries", "HandleOnce", "Throughput", "Orders", "Videos", "AuditLog"),
    *(BREAK_IT, WATCH),
)
# A stack's function has the name of the stack; CloudFormation names all else, after the stack.
STACK, SAM_STACK, PRACTICE_STACK = "Pipeline", "PipelineSam", "PracticeStack"
TAG = "sqs-lambda-course"
# What 15 asks for: the names of an experiment, and more.
CAPSTONE, PAYOUTS = "Refunds", "Payouts"
REFUNDS_DONE, REFUNDS_ALARM = "RefundsDone", "RefundsDead"


def name(text: str) -> str:
    """A name with the learner's prefix before it, if one is set."""
    return prefix() + text


def tags() -> dict[str, str]:
    """The tag on everything that this course run makes."""
    return {TAG: prefix().rstrip("-") or "default"}


@dataclass(frozen=True)
class Names:
    """Names of queues, functions, roles, tables, stacks and alarms, without the prefix."""

    queues: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()

    def __add__(self, other: Names) -> Names:
        """The names of both, each of them once."""
        return Names(
            tuple(dict.fromkeys(self.queues + other.queues)),
            tuple(dict.fromkeys(self.functions + other.functions)),
            tuple(dict.fromkeys(self.roles + other.roles)),
            tuple(dict.fromkeys(self.tables + other.tables)),
            tuple(dict.fromkeys(self.stacks + other.stacks)),
            tuple(dict.fromkeys(self.alarms + other.alarms)),
        )


def of_experiment(experiment: str, suffix: str = "") -> Names:
    """What an experiment is made of. `suffix` is ".fifo" for FIFO queues, else ""."""
    queues = (f"{experiment}{suffix}", f"{experiment}-dlq{suffix}")
    return Names(queues, (experiment,), (f"{experiment}Role",))


def of_steps(before: int) -> Names:
    """What the steps before this one (2 to 8) leave behind."""
    return Names((QUEUE,), (FUNCTION,) if before > 3 else (), (ROLE,) if before > 2 else ())


WRITES = {
    "00_start_here": Names(queues=(PIZZA_QUEUE,)),
    "01_create_queue": Names(
        queues=(QUEUE, PRACTICE_QUEUE, "PracticePayments", "PracticeOrders", "PracticeOrders.fifo")
    ),
    "02_create_role": of_steps(before=3) + Names(roles=(PRACTICE_ROLE, "PracticeSender")),
    "03_create_function": of_steps(before=4)
    + Names(functions=(PRACTICE_FUNCTION, "PracticeReport", "PracticeBaker")),
    "04_add_trigger": of_steps(before=5)
    + Names(queues=("PracticeOven",), functions=(PRACTICE_FUNCTION,)),
    "05_write_handler": of_steps(before=6),
    "06_send_message": of_steps(before=7) + Names(queues=("PracticeStickers",)),
    "07_check_logs": of_steps(before=8),
    "08_retries": of_experiment("ByHand")
    + of_experiment("Retries")
    + Names(queues=("PracticeLabels", "PracticeLabels-dlq")),
    "09_handle_once": of_experiment("HandleOnce") + Names(tables=(TABLE,)),
    "10_throughput": of_experiment("Throughput") + Names(queues=(POLLED_QUEUE,)),
    "11_use_cases": of_experiment("Orders")
    + of_experiment("Videos")
    + of_experiment("AuditLog", ".fifo")
    + Names(queues=(JOBS_QUEUE, "PracticeJobs", "PracticeJobs-dlq"), tables=(TABLE,)),
    "12_break_it": of_experiment(BREAK_IT)
    + Names(queues=("PracticeShop", "PracticeShop-dlq"), tables=(TABLE,)),
    "13_watch_it": of_experiment(WATCH)
    + Names(
        queues=("WatchFirstOven", "WatchSecondOven"),
        alarms=("WatchDeadOrders", "PracticeWaiting", "PracticeDeadOrders"),
    ),
    "14_keep_in_code": of_steps(before=8)
    + Names(
        functions=(STACK, SAM_STACK), stacks=(STACK, SAM_STACK, PRACTICE_STACK, "PracticeRepair")
    ),
    "15_capstone": of_experiment(CAPSTONE)
    + Names(tables=(PAYOUTS, REFUNDS_DONE), alarms=(REFUNDS_ALARM,)),
    "99_clean_up": Names(),  # it deletes what is ours, whatever else there is
}
NOTEBOOKS = tuple(WRITES)
EVERYTHING = sum(
    [
        *WRITES.values(),
        *(of_experiment(each, suffix) for each in EXPERIMENTS for suffix in ("", ".fifo")),
    ],
    Names(),
)
