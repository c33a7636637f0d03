"""`make policies`: record, write the policies, replay them, and leave each action out in turn.

With names of actions: leave only these out, of the policies as they are stored.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from tests.notebook_files import NAMES
from tests.policies import documents, recording, replay
from tests.policies.replay import Broken, Policies

# To delete something, the clean-up needs what another notebook has made; some make it sooner.
CLEAN_UP, MAKES_ALL, MAKES_MOST = "99_clean_up", "09_handle_once", "04_add_trigger"
OF_THE_REST = ("dynamodb:DeleteTable", "iam:DeleteRolePolicy")
DELETES = re.compile(r":(Delete|Detach)(?!Message)")
# The notebooks that a role with just function.json is enough for: 02, 12 and 15 look at the
# policies that roles have, and one of 12's faults is that one is missing.
WITH_FUNCTIONS = ("03_create_function", "04_add_trigger", "05_write_handler", "06_send_message",
                  "07_check_logs", "08_retries", "09_handle_once", "10_throughput",
                  "11_use_cases")  # fmt: skip
# What nothing here breaks without, and why it is in the policy all the same.
ON_AWS_ONLY = "the local AWS asks for logs:PutLogEvents alone, Lambda for all three"
BY_THE_GUIDE = "Lambda's guide asks for it, the local AWS does not"
OTHER_PAUSES = "no cell fails, but the chart of 09 shows other pauses"
OPTIONAL = {
    (documents.LEARNER, "logs:TagResource"): "for a clean-up that is interrupted",
    (documents.FUNCTION, "logs:CreateLogGroup"): ON_AWS_ONLY,
    (documents.FUNCTION, "logs:CreateLogStream"): ON_AWS_ONLY,
    (documents.FUNCTION, "sqs:ChangeMessageVisibility"): OTHER_PAUSES,
    (documents.BOUNDARY, "sqs:ChangeMessageVisibility"): OTHER_PAUSES,
    (documents.FUNCTION, "sqs:GetQueueAttributes"): BY_THE_GUIDE,
    (documents.BOUNDARY, "sqs:GetQueueAttributes"): BY_THE_GUIDE,
    (documents.BOUNDARY, "logs:CreateLogGroup"): ON_AWS_ONLY,
    (documents.BOUNDARY, "logs:CreateLogStream"): ON_AWS_ONLY,
    **{
        (documents.LEARNER, action): "CloudFormation reads it on AWS, and not on the local AWS"
        for actions in recording.READ_BY_AWS.values()
        for action in actions
    },
}


def record() -> None:
    """Run all notebooks in order, and write what they call and the policies made of it."""
    needs, grants = {}, {}
    everything = documents.document([documents.allow("All", ["*"], ["*"])])
    with replay.own_local_aws(), replay.with_boundary(everything):
        for name in NAMES:
            with recording.recorded() as recorder:
                broken = replay.run([name])
            if broken:
                sys.exit(str(broken))
            needs[name], grants[name] = recorder.needs, recorder.grants
    recording.write(needs, grants)
    for name, policy in documents.all_of(needs, grants).items():
        (recording.FOLDER / name).write_text(documents.text_of(policy), encoding="utf-8")
        print(f"{name}: {documents.size_of(policy)} of {documents.SIZE} characters", flush=True)


def stored() -> Policies:
    return Policies(*map(documents.read, documents.FILES))


def replay_all() -> list[str]:
    """Run all notebooks as a learner, and those that can with just the function's policy."""
    learner = replay.replay(NAMES, stored())
    print(f"all notebooks as a learner: {learner or 'nothing breaks'}", flush=True)
    function = replay.replay(WITH_FUNCTIONS, stored(), only_function=True)
    print(f"with {documents.FUNCTION} in all roles: {function or 'nothing breaks'}", flush=True)
    return [str(each) for each in (learner, function) if each]


def leave_out(only: Iterable[str] = ()) -> list[str]:
    """Run notebooks without each action of each policy; what none breaks without."""
    needless = []
    for name in documents.FILES:
        for action in documents.actions_of(documents.read(name)):
            if only and action not in only:
                continue
            why = OPTIONAL.get((name, action))
            broken = None if why else first_broken(name, action)
            print(f"{name} without {action}: {broken or why or 'NOTHING BREAKS'}", flush=True)
            if not (broken or why):
                needless.append(f"{name}: {action}")
    return needless


def first_broken(file: str, action: str) -> Broken | None:
    """What breaks when an action is left out of one of the policies."""
    policies = stored().without(file, action)
    for name in users_of(file, action):
        broken = replay.replay(
            (*before(name, action), name),
            policies,
            only_function=file == documents.FUNCTION,
            # A learner's call is refused at once; a function's lack is seen by waiting in vain.
            impatient=file != documents.LEARNER,
        )
        if broken:
            return broken
    return None


def before(name: str, action: str) -> tuple[str, ...]:
    """The notebooks to run before one."""
    if name != CLEAN_UP:
        return ()
    return (MAKES_ALL,) if action in OF_THE_REST else (MAKES_MOST,)


def users_of(file: str, action: str) -> list[str]:
    """The notebooks that need an action, in order; for a function's also those that may."""
    kind = "needs" if file == documents.LEARNER else "grants"
    kept = recording.stored(kind)
    users = [name for name in NAMES if action in {need.action for need in kept[name]}]
    if kind == "grants":
        users += [name for name in WITH_FUNCTIONS if name not in users]
    if DELETES.search(action):
        users.sort(key=lambda name: name != CLEAN_UP)
    return [name for name in users if file != documents.FUNCTION or name in WITH_FUNCTIONS]


def main(only: list[str]) -> None:
    wrong = []
    if not only:
        record()
        wrong += replay_all()
    wrong += leave_out(only)
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
