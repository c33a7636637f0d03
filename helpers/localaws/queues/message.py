"""A message, and what of it is shown to whoever receives it."""

from __future__ import annotations

from typing import Any

from moto.sqs import models as moto_sqs


class Untracked:
    """moto keeps each instance of its models, and each copy of one, for a list of them all."""

    def __new__(cls, *_args: Any, **_others: Any) -> Any:
        return object.__new__(cls)


class Message(Untracked, moto_sqs.Message):
    """A message that remembers the queue that it was dead-lettered from."""

    dead_letter_source_arn: str | None = None

    @staticmethod
    def validate_attribute_name(name: str) -> None:
        """Names are checked when a message is sent; moto refuses letters that AWS takes."""

    @property
    def system_attribute_md5(self) -> str:
        """MD5OfMessageSystemAttributes: computed like that of the message attributes."""
        system = Message(self.id, "")
        system.message_attributes = self.system_attributes
        return system.attribute_md5

    def received_attributes(self) -> dict[str, str]:
        """The system attributes of a received message, in the order of Lambda's event."""
        values = {
            "ApproximateReceiveCount": self.approximate_receive_count,
            "AWSTraceHeader": self.system_attributes.get("AWSTraceHeader", {}).get("StringValue"),
            "SentTimestamp": self.sent_timestamp,
            "SequenceNumber": self.sequence_number,
            "MessageGroupId": self.group_id,
            "SenderId": self.sender_id,
            "MessageDeduplicationId": self.deduplication_id,
            "ApproximateFirstReceiveTimestamp": self.approximate_first_receive_timestamp,
            "DeadLetterQueueSourceArn": self.dead_letter_source_arn,
        }
        return {name: str(value) for name, value in values.items() if value is not None}
