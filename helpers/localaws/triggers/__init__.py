"""Event source mappings: an SQS queue as a function's trigger."""
