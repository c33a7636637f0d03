"""What stands beside a queue and its function: topics, tables, buckets.

Source: Template reference, AWS::SNS::…, AWS::DynamoDB::Table and AWS::S3::Bucket.
"""

from __future__ import annotations

from typing import Any

from helpers.localaws.stacks.calls import Calls, Failed, find, refuse_existing, wait_for
from helpers.localaws.stacks.kinds.kind import Kind, Made, Wanted, changed_tags, changes
from helpers.localaws.stacks.kinds.queues import as_text, as_texts

TOPIC = ("DisplayName", "KmsMasterKeyId", "FifoTopic", "ContentBasedDeduplication")


class Topic(Kind):
    name = "AWS::SNS::Topic"
    properties = frozenset({"TopicName", "Tags", *TOPIC})
    attributes = frozenset({"TopicArn", "TopicName"})
    name_property = "TopicName"

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        suffix = ".fifo" if wanted.properties.get("FifoTopic") else ""
        name = wanted.name("TopicName", 256, suffix)
        arn = aws("sns").create_topic(
            Name=name, Attributes=as_texts(wanted.some(*TOPIC)), Tags=wanted.tag_list
        )["TopicArn"]
        return Made(arn, {"TopicArn": arn, "TopicName": name})

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        changed = changes(had, wanted, {"DisplayName": "", "ContentBasedDeduplication": False})
        for name in set(changed) & set(TOPIC):
            aws("sns").set_topic_attributes(
                TopicArn=made.physical_id, AttributeName=name, AttributeValue=as_text(changed[name])
            )
        tags, gone = changed_tags(had, wanted)
        if tags:
            listed = [{"Key": key, "Value": value} for key, value in tags.items()]
            aws("sns").tag_resource(ResourceArn=made.physical_id, Tags=listed)
        if gone:
            aws("sns").untag_resource(ResourceArn=made.physical_id, TagKeys=gone)
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        aws("sns").delete_topic(TopicArn=made.physical_id)


SUBSCRIPTION = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy")


class Subscription(Kind):
    name = "AWS::SNS::Subscription"
    properties = frozenset({"TopicArn", "Protocol", "Endpoint", *SUBSCRIPTION})
    attributes = frozenset({"Arn"})

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        arn = aws("sns").subscribe(
            **wanted.some("TopicArn", "Protocol", "Endpoint"),
            Attributes=as_texts(wanted.some(*SUBSCRIPTION)),
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return Made(arn, {"Arn": arn})

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        defaults = {"RawMessageDelivery": False, "FilterPolicy": {}, "RedrivePolicy": ""}
        for name, value in changes(had, wanted, defaults).items():
            aws("sns").set_subscription_attributes(
                SubscriptionArn=made.physical_id, AttributeName=name, AttributeValue=as_text(value)
            )
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        aws("sns").unsubscribe(SubscriptionArn=made.physical_id)


class TopicPolicy(Kind):
    name = "AWS::SNS::TopicPolicy"
    properties = frozenset({"PolicyDocument", "Topics"})
    attributes = frozenset({"Id"})

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        self._put(aws, wanted)
        identity = wanted.made_up(255)
        return Made(identity, {"Id": identity})

    @staticmethod
    def _put(aws: Calls, wanted: Wanted) -> None:
        for arn in wanted.properties["Topics"]:
            aws("sns").set_topic_attributes(
                TopicArn=arn,
                AttributeName="Policy",
                AttributeValue=as_text(wanted.properties["PolicyDocument"]),
            )

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        self._put(aws, wanted)
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        """Nothing: AWS leaves the policy where it is, too (Template reference)."""


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


class Bucket(Kind):
    name = "AWS::S3::Bucket"
    properties = frozenset({"BucketName", "Tags"})
    attributes = frozenset({"Arn"})
    name_property = "BucketName"

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        name = wanted.name("BucketName", 63)
        if "BucketName" not in wanted.properties:
            name = name.lower()
        refuse_existing(find(aws("s3").head_bucket, Bucket=name), self.name, name)
        where: dict[str, Any] = {}
        if aws.region != "us-east-1":
            where["CreateBucketConfiguration"] = {"LocationConstraint": aws.region}
        aws("s3").create_bucket(Bucket=name, **where)
        wanted.begun(name)
        self._tag(aws, name, wanted)
        return Made(name, {"Arn": f"arn:aws:s3:::{name}"})

    @staticmethod
    def _tag(aws: Calls, name: str, wanted: Wanted) -> None:
        """Tag it, but for the tags of CloudFormation itself, which S3 takes from nobody else."""
        tags = [tag for tag in wanted.tag_list if not tag["Key"].startswith("aws:")]
        if tags:
            aws("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        self._tag(aws, made.physical_id, wanted)
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        aws("s3").delete_bucket(Bucket=made.physical_id)


KINDS: list[Kind] = [Topic(), Subscription(), TopicPolicy(), Table(), Bucket()]
