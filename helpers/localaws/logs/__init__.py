"""CloudWatch Logs: what functions write, and the API that reads it."""
