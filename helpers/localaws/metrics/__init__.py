"""CloudWatch metrics: what services count, what is read of it, and alarms on it."""
