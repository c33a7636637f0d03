"""Two long polls at once with boto3 for asyncio. `python aio.py QUEUE`: the name of a new queue.

Prints what was received, sorted, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import aioboto3


async def receive(sqs: Any, url: str) -> list[str]:
    """The body of one message, which is deleted, in a list; empty if none comes."""
    answer = await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=20)
    for message in answer.get("Messages", []):
        await sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in answer.get("Messages", [])]


async def main(name: str) -> None:
    async with aioboto3.Session().client("sqs") as sqs:
        url = (await sqs.create_queue(QueueName=name))["QueueUrl"]
        polls = [asyncio.create_task(receive(sqs, url)) for _ in range(2)]
        await asyncio.sleep(1)  # by now both wait
        await sqs.send_message_batch(
            QueueUrl=url, Entries=[{"Id": body, "MessageBody": body} for body in ("one", "two")]
        )
        found = [body for bodies in await asyncio.gather(*polls) for body in bodies]
        print(json.dumps(sorted(found)))
        await sqs.delete_queue(QueueUrl=url)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
