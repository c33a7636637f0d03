"""Changes to an experiment that is there: its code, its trigger, what its role may do."""

from __future__ import annotations

import json

from helpers import steps
from helpers.account.refusal import refuse_foreign
from helpers.account.things import look_at_role, look_at_trigger
from helpers.clients import Client, client_for
from helpers.experiments.experiment import Experiment


def deploy(experiment: Experiment, handler: str) -> Experiment:
    """Give the function new code. The run begins anew; messages stay where they are."""
    steps.deploy_handler(client_for("lambda"), experiment.name, handler)
    return experiment.again()


def switch(lambda_: Client, trigger_uuid: str, on: bool) -> None:
    """Enable or disable a trigger, and wait until it is. Raises NotOurs for a foreign one."""
    wanted = "Enabled" if on else "Disabled"
    refuse_foreign([look_at_trigger(lambda_, trigger_uuid)])
    steps.settled(lambda_, trigger_uuid)
    if lambda_.get_event_source_mapping(UUID=trigger_uuid)["State"] != wanted:
        lambda_.update_event_source_mapping(UUID=trigger_uuid, Enabled=on)
        steps.settled(lambda_, trigger_uuid, wanted)


def allow(experiment: Experiment, action: str, resource: str) -> None:
    """Let the function's role do one action, such as "sqs:SendMessage", on one ARN.

    Raises NotOurs for a role of somebody else. On AWS it can take some seconds until a new
    policy is known everywhere. Source: IAM User Guide, "Troubleshoot IAM: changes that I make
    are not always immediately visible".
    """
    iam = client_for("iam")
    refuse_foreign([look_at_role(iam, experiment.role_name)])
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    iam.put_role_policy(
        RoleName=experiment.role_name,
        PolicyName=action.replace(":", "-"),
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def wait_until_updated(lambda_: Client, name: str) -> None:
    """Wait until a function is active and no update of it is in progress."""
    for state in ("function_active_v2", "function_updated_v2"):
        steps.wait_for_function(lambda_, name, state)
