"""IAM: roles and policies.

Source: Template reference, AWS::IAM::Role, Policy, RolePolicy and ManagedPolicy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from helpers.localaws.stacks.calls import Calls, find, refuse_existing
from helpers.localaws.stacks.kinds.kind import Kind, Made, Wanted, changed_tags, changes

LONGEST_ROLE, LONGEST_POLICY = 64, 128
HOLDERS = {"Roles": "role", "Users": "user", "Groups": "group"}


def wait_until_usable(_roles: Iterable[str]) -> None:
    """Wait until roles and their policies are in force: here they are at once."""


class Role(Kind):
    name = "AWS::IAM::Role"
    properties = frozenset(
        {
            *("RoleName", "Path", "AssumeRolePolicyDocument", "Description", "ManagedPolicyArns"),
            *("MaxSessionDuration", "PermissionsBoundary", "Policies", "Tags"),
        }
    )
    attributes = frozenset({"Arn", "RoleId"})
    name_property = "RoleName"

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        name = wanted.name("RoleName", LONGEST_ROLE)
        refuse_existing(find(aws("iam").get_role, RoleName=name), self.name, name)
        given = wanted.some("Path", "Description", "MaxSessionDuration", "PermissionsBoundary")
        role = aws("iam").create_role(
            RoleName=name,
            AssumeRolePolicyDocument=document(wanted.properties["AssumeRolePolicyDocument"]),
            Tags=wanted.tag_list,
            **given,
        )["Role"]
        wanted.begun(name)
        self._put_policies(aws, name, set(), wanted)
        wait_until_usable([name])
        return Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def _put_policies(self, aws: Calls, name: str, attached: set[str], wanted: Wanted) -> None:
        for arn in wanted.properties.get("ManagedPolicyArns", []):
            if arn not in attached:
                aws("iam").attach_role_policy(RoleName=name, PolicyArn=arn)
        for policy in wanted.properties.get("Policies", []):
            aws("iam").put_role_policy(
                RoleName=name,
                PolicyName=policy["PolicyName"],
                PolicyDocument=document(policy["PolicyDocument"]),
            )

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        iam, name = aws("iam"), made.physical_id
        changed = changes(had, wanted, {"Description": "", "MaxSessionDuration": 3600})
        if "AssumeRolePolicyDocument" in changed:
            text = document(wanted.properties["AssumeRolePolicyDocument"])
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=text)
        settings = {k: changed[k] for k in ("Description", "MaxSessionDuration") if k in changed}
        if settings:
            iam.update_role(RoleName=name, **settings)
        if "PermissionsBoundary" in changed:
            set_boundary(aws, name, changed["PermissionsBoundary"])
        attached = set(had.properties.get("ManagedPolicyArns", []))
        self._put_policies(aws, name, attached, wanted)
        for arn in attached - set(wanted.properties.get("ManagedPolicyArns", [])):
            iam.detach_role_policy(RoleName=name, PolicyArn=arn)
        for policy in inline_names(had) - inline_names(wanted):
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        tags, gone = changed_tags(had, wanted)
        if tags:
            iam.tag_role(RoleName=name, Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
        if gone:
            iam.untag_role(RoleName=name, TagKeys=gone)
        wait_until_usable([name])
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        iam, name = aws("iam"), made.physical_id
        for arn in had.properties.get("ManagedPolicyArns", []):
            find(iam.detach_role_policy, RoleName=name, PolicyArn=arn)
        for policy in inline_names(had):
            find(iam.delete_role_policy, RoleName=name, PolicyName=policy)
        iam.delete_role(RoleName=name)


def document(policy: Any) -> str:
    return policy if isinstance(policy, str) else json.dumps(policy)


def inline_names(role: Wanted) -> set[str]:
    return {policy["PolicyName"] for policy in role.properties.get("Policies", [])}


def set_boundary(aws: Calls, role: str, arn: str | None) -> None:
    if arn:
        aws("iam").put_role_permissions_boundary(RoleName=role, PermissionsBoundary=arn)
    else:
        aws("iam").delete_role_permissions_boundary(RoleName=role)


class Policy(Kind):
    """An inline policy of roles, users and groups that may stand elsewhere."""

    name = "AWS::IAM::Policy"
    properties = frozenset({"PolicyName", "PolicyDocument", *HOLDERS})
    attributes = frozenset({"Id"})

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        name = str(wanted.properties["PolicyName"])
        wanted.begun(name)
        put_inline(aws, wanted)
        return Made(name, {"Id": name})

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        put_inline(aws, wanted)
        name = str(wanted.properties["PolicyName"])
        renamed = name != had.properties["PolicyName"]
        for kind, holder in set(holders(had)) - (set() if renamed else set(holders(wanted))):
            delete_inline(aws, kind, holder, had)
        return Made(name, {"Id": name})

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        for kind, holder in holders(had):
            delete_inline(aws, kind, holder, had)


def holders(policy: Wanted) -> list[tuple[str, str]]:
    return [
        (kind, str(holder))
        for plural, kind in HOLDERS.items()
        for holder in policy.properties.get(plural, [])
    ]


def put_inline(aws: Calls, policy: Wanted) -> None:
    for kind, holder in holders(policy):
        put = getattr(aws("iam"), f"put_{kind}_policy")
        text = document(policy.properties["PolicyDocument"])
        name = policy.properties["PolicyName"]
        put(**{f"{kind.title()}Name": holder}, PolicyName=name, PolicyDocument=text)
    wait_until_usable(roles_of(policy))


def roles_of(policy: Wanted) -> list[str]:
    return [holder for kind, holder in holders(policy) if kind == "role"]


def delete_inline(aws: Calls, kind: str, holder: str, policy: Wanted) -> None:
    remove = getattr(aws("iam"), f"delete_{kind}_policy")
    name = policy.properties["PolicyName"]
    find(remove, **{f"{kind.title()}Name": holder}, PolicyName=name)


class RolePolicy(Kind):
    name = "AWS::IAM::RolePolicy"
    properties = frozenset({"PolicyName", "PolicyDocument", "RoleName"})

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        self._put(aws, wanted)
        return Made(f"{wanted.properties['PolicyName']}|{wanted.properties['RoleName']}", {})

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        self._put(aws, wanted)
        return made

    def _put(self, aws: Calls, wanted: Wanted) -> None:
        text = document(wanted.properties.get("PolicyDocument", {}))
        aws("iam").put_role_policy(**wanted.some("RoleName", "PolicyName"), PolicyDocument=text)

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        find(aws("iam").delete_role_policy, **had.some("RoleName", "PolicyName"))


class ManagedPolicy(Kind):
    name = "AWS::IAM::ManagedPolicy"
    properties = frozenset({"ManagedPolicyName", "Path", "Description", "PolicyDocument", *HOLDERS})
    attributes = frozenset({"PolicyArn"})
    name_property = "ManagedPolicyName"

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        arn = aws("iam").create_policy(
            PolicyName=wanted.name("ManagedPolicyName", LONGEST_POLICY),
            PolicyDocument=document(wanted.properties["PolicyDocument"]),
            **wanted.some("Path", "Description"),
        )["Policy"]["Arn"]
        wanted.begun(arn)
        for kind, holder in holders(wanted):
            attach(aws, "attach", kind, holder, arn)
        wait_until_usable(roles_of(wanted))
        return Made(arn, {"PolicyArn": arn})

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        iam, arn = aws("iam"), made.physical_id
        if had.properties["PolicyDocument"] != wanted.properties["PolicyDocument"]:
            old = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            text = document(wanted.properties["PolicyDocument"])
            iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
            iam.delete_policy_version(PolicyArn=arn, VersionId=old)
        for kind, holder in set(holders(wanted)) - set(holders(had)):
            attach(aws, "attach", kind, holder, arn)
        for kind, holder in set(holders(had)) - set(holders(wanted)):
            attach(aws, "detach", kind, holder, arn)
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        for kind, holder in holders(had):
            attach(aws, "detach", kind, holder, made.physical_id)
        aws("iam").delete_policy(PolicyArn=made.physical_id)


def attach(aws: Calls, verb: str, kind: str, holder: str, arn: str) -> None:
    """Attach or detach a managed policy; that it is not attached is no error then."""
    call = getattr(aws("iam"), f"{verb}_{kind}_policy")
    arguments = {f"{kind.title()}Name": holder, "PolicyArn": arn}
    if verb == "detach":
        find(call, **arguments)
    else:
        call(**arguments)


KINDS: list[Kind] = [Role(), Policy(), RolePolicy(), ManagedPolicy()]
