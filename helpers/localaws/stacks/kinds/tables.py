"""DynamoDB: tables.

Source: Template reference, AWS::DynamoDB::Table.
"""

from __future__ import annotations

from helpers.localaws.stacks.calls import Calls, Failed, find, refuse_existing, wait_for
from helpers.localaws.stacks.kinds.kind import Kind, Made, Wanted, changed_tags, changes

TABLE = (
    *("KeySchema", "AttributeDefinitions", "BillingMode", "ProvisionedThroughput"),
    *("GlobalSecondaryIndexes", "LocalSecondaryIndexes", "DeletionProtectionEnabled"),
)
CHANGEABLE = {"BillingMode", "ProvisionedThroughput", "DeletionProtectionEnabled"}


class Table(Kind):
    name = "AWS::DynamoDB::Table"
    properties = frozenset(
        {"TableName", "StreamSpecification", "TimeToLiveSpecification", "Tags", *TABLE}
    )
    attributes = frozenset({"Arn", "StreamArn"})
    name_property = "TableName"
    replaced_by = frozenset({"KeySchema", "LocalSecondaryIndexes"})

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        name, given = wanted.name("TableName", 255), wanted.some(*TABLE)
        there = find(aws("dynamodb").describe_table, TableName=name)
        refuse_existing(there, self.name, name)
        stream = wanted.properties.get("StreamSpecification")
        if stream:
            given["StreamSpecification"] = {"StreamEnabled": True, **stream}
        if wanted.tags:
            given["Tags"] = wanted.tag_list
        made = aws("dynamodb").create_table(TableName=name, **given)["TableDescription"]
        wanted.begun(name)
        self._settle(aws, name)
        if "TimeToLiveSpecification" in wanted.properties:
            self._set_time_to_live(aws, name, wanted)
        attributes = {"Arn": made["TableArn"], "StreamArn": made.get("LatestStreamArn")}
        return Made(name, {key: value for key, value in attributes.items() if value})

    @staticmethod
    def _settle(aws: Calls, name: str) -> None:
        def active() -> bool:
            found = aws("dynamodb").describe_table(TableName=name)["Table"]
            return bool(found["TableStatus"] == "ACTIVE")

        wait_for(active, f"Table {name}")

    @staticmethod
    def _set_time_to_live(aws: Calls, name: str, wanted: Wanted) -> None:
        aws("dynamodb").update_time_to_live(
            TableName=name, TimeToLiveSpecification=wanted.properties["TimeToLiveSpecification"]
        )

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        name, changed = made.physical_id, changes(had, wanted, {"DeletionProtectionEnabled": False})
        foreign = set(changed) - CHANGEABLE - {"Tags", "TimeToLiveSpecification"}
        if foreign:
            raise Failed(f"The local AWS cannot change {', '.join(sorted(foreign))} of a table.")
        settings = {key: changed[key] for key in changed if key in CHANGEABLE and changed[key]}
        if settings:
            aws("dynamodb").update_table(TableName=name, **settings)
            self._settle(aws, name)
        if changed.get("TimeToLiveSpecification"):
            self._set_time_to_live(aws, name, wanted)
        tags, gone = changed_tags(had, wanted)
        if tags:
            listed = [{"Key": key, "Value": value} for key, value in tags.items()]
            aws("dynamodb").tag_resource(ResourceArn=made.attributes["Arn"], Tags=listed)
        if gone:
            aws("dynamodb").untag_resource(ResourceArn=made.attributes["Arn"], TagKeys=gone)
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        aws("dynamodb").delete_table(TableName=made.physical_id)


KINDS: list[Kind] = [Table()]
