"""IAM: moto's answers corrected to AWS's, where the course meets them."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.core.serialize import never_return
from moto.iam import models as moto_iam
from moto.iam import urls as moto_urls
from moto.iam.exceptions import (
    InvalidInput,
    MalformedPolicyDocument,
    NotFoundException,
    ValidationError,
)
from moto.iam.policy_validation import IAMTrustPolicyDocumentValidator
from moto.iam.responses import IamResponse

from helpers.localaws.common import arns
from helpers.localaws.common.clean_refusals import CleanRefusals
from helpers.localaws.common.moto_patches import WorkedOut, put_in_place
from helpers.localaws.permissions.simulation import simulate

OLDER = "2008-10-17"
ROLE_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)


class Backend(moto_iam.IAMBackend):
    """moto's roles and policies of one account, with AWS's refusals (LS-133)."""

    def __init__(self, region_name: str, account_id: str) -> None:
        self._managed_policies: dict[str, moto_iam.ManagedPolicy] = {}
        super().__init__(region_name, account_id)

    @WorkedOut
    def managed_policies(self) -> dict[str, moto_iam.ManagedPolicy]:
        """Managed policies by ARN. AWS's own, some 1,300, are read when first needed.

        moto would read them when the backend is made.
        """
        if not self._managed_policies:
            of_aws = super()._init_aws_policies()
            self._managed_policies.update({policy.arn: policy for policy in of_aws})
        return self._managed_policies

    def _init_aws_policies(self) -> list[moto_iam.ManagedPolicy]:
        return []

    def create_role(
        self, role_name: str, assume_role_policy_document: str, *arguments: Any, **named: Any
    ) -> moto_iam.Role:
        check_trust_policy(assume_role_policy_document)
        return super().create_role(role_name, assume_role_policy_document, *arguments, **named)

    def get_role(self, role_name: str) -> moto_iam.Role:
        try:
            return super().get_role(role_name)
        except NotFoundException:
            raise NotFoundException(f"The role with name {role_name} cannot be found.") from None

    def update_assume_role_policy(self, role_name: str, assume_role_policy: str) -> None:
        check_trust_policy(assume_role_policy)
        self.get_role(role_name).assume_role_policy_document = assume_role_policy

    def attach_role_policy(self, policy_arn: str, role_name: str) -> None:
        check_policy_arn(policy_arn)
        super().attach_role_policy(policy_arn, role_name)

    def attach_user_policy(self, policy_arn: str, user_name: str) -> None:
        check_policy_arn(policy_arn)
        super().attach_user_policy(policy_arn, user_name)

    def attach_group_policy(self, policy_arn: str, group_name: str) -> None:
        check_policy_arn(policy_arn)
        super().attach_group_policy(policy_arn, group_name)

    def put_role_policy(self, role_name: str, policy_name: str, policy_json: str) -> None:
        super().put_role_policy(role_name, policy_name, with_version(policy_json))
        self.get_role(role_name).put_policy(policy_name, policy_json)

    def get_policy(self, policy_arn: str) -> moto_iam.ManagedPolicy:
        try:
            return super().get_policy(policy_arn)
        except NotFoundException:
            raise policy_not_found(policy_arn) from None

    def delete_policy(self, policy_arn: str) -> None:
        try:
            super().delete_policy(policy_arn)
        except NotFoundException:
            raise policy_not_found(policy_arn) from None


def policy_not_found(policy_arn: str) -> NotFoundException:
    return NotFoundException(f"Policy {policy_arn} was not found.")


def check_policy_arn(policy_arn: str) -> None:
    """What is attached to a role, a user or a group has an ARN (LS-133, DF-18)."""
    if not arns.is_arn(policy_arn):
        raise ValidationError("Invalid ARN:  Could not be parsed!")


def check_trust_policy(document: str) -> None:
    """moto checks a trust policy only when it is changed, and wants the newer version (DF-05).

    IAM User Guide, "IAM JSON policy elements: Version": the older one holds where none is said.
    """
    try:
        policy = json.loads(document)
    except ValueError:
        raise MalformedPolicyDocument("This policy contains invalid Json") from None
    if isinstance(policy, dict) and policy.get("Version", OLDER) == OLDER:
        document = json.dumps({**policy, "Version": "2012-10-17"})
    IAMTrustPolicyDocumentValidator(document).validate()


def with_version(policy: str) -> str:
    """A policy that may lack its version, for moto, which refuses it then.

    IAM User Guide, "IAM JSON policy elements: Version": without it, it is 2008-10-17. SAM writes
    such policies.
    """
    try:
        document = json.loads(policy)
    except ValueError:
        return policy
    if not isinstance(document, dict) or "Version" in document:
        return policy
    return json.dumps({"Version": "2012-10-17", **document})


def check_role_name(name: str) -> None:
    if not ROLE_NAME.fullmatch(name):
        raise ValidationError(
            "The specified value for roleName is invalid. It must contain only alphanumeric "
            "characters and/or the following: +=,.@_-"
        )


def with_role_name(
    action: Callable[[IamResponse], ActionResult],
) -> Callable[[IamResponse], ActionResult]:
    """An action of moto's on a role, which looks at the role's name first."""

    @functools.wraps(action)
    def checked(responses: IamResponse) -> ActionResult:
        check_role_name(responses._get_param("RoleName"))
        return action(responses)

    return checked


class Responses(CleanRefusals, IamResponse):
    """moto's IAM responses. CreateRole leaves out what GetRole has (LS-070)."""

    RESPONSE_KEY_PATH_TO_TRANSFORMER = {
        **IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER,
        "CreateRoleResponse.Role.MaxSessionDuration": never_return,
        "CreateRoleResponse.Role.RoleLastUsed": never_return,
    }

    create_role = with_role_name(IamResponse.create_role)
    get_role = with_role_name(IamResponse.get_role)
    delete_role = with_role_name(IamResponse.delete_role)
    attach_role_policy = with_role_name(IamResponse.attach_role_policy)
    put_role_policy = with_role_name(IamResponse.put_role_policy)

    def list_roles(self) -> ActionResult:
        if not self._get_param("Marker", "0").isdigit():
            raise ValidationError("Invalid Marker.")
        return super().list_roles()

    def simulate_principal_policy(self) -> ActionResult:
        results = simulate(
            self.backend,
            self._get_param("PolicySourceArn"),
            self._get_param("ActionNames"),
            self._get_param("ResourceArns") or ["*"],
            self._get_param("PolicyInputList") or [],
            {
                entry["ContextKeyName"].lower(): entry["ContextKeyValues"][0]
                for entry in self._get_param("ContextEntries") or []
                if entry.get("ContextKeyValues")
            },
        )
        return ActionResult({"EvaluationResults": results, "IsTruncated": False})

    def create_service_linked_role(self) -> ActionResult:
        service = self._get_param("AWSServiceName")
        if not service.endswith(".amazonaws.com"):
            raise InvalidInput(f"{service} is not the name of a service.")
        return super().create_service_linked_role()

    @staticmethod
    def refusal(message: str) -> str:
        return (
            "<ErrorResponse><Error><Type>Sender</Type><Code>NotImplemented</Code>"
            f"<Message>{message}</Message></Error></ErrorResponse>"
        )


def install() -> None:
    """Make moto's server use these roles and policies."""
    put_in_place(moto_iam.iam_backends, Backend, moto_urls, Responses.dispatch)
