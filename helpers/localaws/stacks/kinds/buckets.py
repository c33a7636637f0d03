"""S3: buckets.

Source: Template reference, AWS::S3::Bucket.
"""

from __future__ import annotations

from typing import Any

from helpers.localaws.stacks.calls import Calls, find, refuse_existing
from helpers.localaws.stacks.kinds.kind import Kind, Made, Wanted


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


KINDS: list[Kind] = [Bucket()]
