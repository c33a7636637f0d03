"""SQS: queues, messages, dead letters."""
