"""SNS: topics, their policies and subscriptions.

Source: Template reference, AWS::SNS::Topic, Subscription and TopicPolicy.
"""

from __future__ import annotations

from helpers.localaws.stacks.calls import Calls
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


KINDS: list[Kind] = [Topic(), Subscription(), TopicPolicy()]
