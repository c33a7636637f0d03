"""A handler with Powertools for AWS Lambda: orders are shipped once, bad ones are reported."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

logger = Logger(service="orders")
metrics = Metrics(namespace="Orders", service="orders")
tracer = Tracer(service="orders")
processor = BatchProcessor(event_type=EventType.SQS)


@idempotent_function(
    data_keyword_argument="order",
    persistence_store=DynamoDBPersistenceLayer(table_name="seen"),
    config=IdempotencyConfig(event_key_jmespath="id"),
)
def ship(order: dict[str, str]) -> str:
    logger.info("shipped", order=order["id"])
    metrics.add_metric(name="Shipped", unit=MetricUnit.Count, value=1)
    return order["id"]


@tracer.capture_method
def handle(record: SQSRecord) -> None:
    if record.json_body["id"] == "bad":
        raise ValueError("a bad order")
    ship(order=record.json_body)


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return process_partial_response(
        event=event, record_handler=handle, processor=processor, context=context
    )
