"""The names of AWS's things: made of their parts, and taken apart again.

An ARN is `arn:aws:service:region:account:` and what the service adds to it. A function's ends
with `function:name`, and with `:qualifier` if a version or an alias is meant.
"""

from __future__ import annotations

# -- made of their parts ---------------------------------------------------------------------


def of_queue(region: str, account: str, name: str) -> str:
    """
    >>> of_queue("eu-west-1", "123456789012", "orders")
    'arn:aws:sqs:eu-west-1:123456789012:orders'
    """
    return f"arn:aws:sqs:{region}:{account}:{name}"


def of_function(region: str, account: str, name: str, qualifier: str | None = None) -> str:
    """
    >>> of_function("eu-west-1", "123456789012", "work", "live")
    'arn:aws:lambda:eu-west-1:123456789012:function:work:live'
    """
    return f"arn:aws:lambda:{region}:{account}:function:{qualified(name, qualifier)}"


def of_mapping(region: str, account: str, uuid: str) -> str:
    """The ARN of an event source mapping.

    >>> of_mapping("eu-west-1", "123456789012", "9bd2")
    'arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:9bd2'
    """
    return f"arn:aws:lambda:{region}:{account}:event-source-mapping:{uuid}"


def of_runtime(region: str, number: str) -> str:
    """The ARN of a version of a runtime, which is of no account.

    >>> of_runtime("eu-west-1", "a1b2")
    'arn:aws:lambda:eu-west-1::runtime:a1b2'
    """
    return f"arn:aws:lambda:{region}::runtime:{number}"


def of_log_stream(region: str, account: str, group: str, stream: str) -> str:
    """
    >>> of_log_stream("eu-west-1", "123456789012", "/aws/lambda/work", "today")
    'arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/work:log-stream:today'
    """
    return f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{stream}"


def of_role(account: str, name: str, path: str = "/") -> str:
    """
    >>> of_role("123456789012", "worker", "/course/")
    'arn:aws:iam::123456789012:role/course/worker'
    """
    return f"arn:aws:iam::{account}:role{path}{name}"


def of_table(region: str, account: str, name: str) -> str:
    """The ARN of a DynamoDB table.

    >>> of_table("eu-west-1", "123456789012", "seen")
    'arn:aws:dynamodb:eu-west-1:123456789012:table/seen'
    """
    return f"arn:aws:dynamodb:{region}:{account}:table/{name}"


def of_alarm(region: str, account: str, name: str) -> str:
    """
    >>> of_alarm("eu-west-1", "123456789012", "dead letters")
    'arn:aws:cloudwatch:eu-west-1:123456789012:alarm:dead letters'
    """
    return f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}"


def of_dashboard(account: str, name: str) -> str:
    """The ARN of a dashboard, which is of no region.

    >>> of_dashboard("123456789012", "orders")
    'arn:aws:cloudwatch::123456789012:dashboard/orders'
    """
    return f"arn:aws:cloudwatch::{account}:dashboard/{name}"


def of_stack(region: str, account: str, name: str, number: str) -> str:
    """The ARN of a stack, which is its id.

    >>> of_stack("eu-west-1", "123456789012", "pipeline", "9bd2")
    'arn:aws:cloudformation:eu-west-1:123456789012:stack/pipeline/9bd2'
    """
    return f"arn:aws:cloudformation:{region}:{account}:stack/{name}/{number}"


def of_change_set(region: str, account: str, name: str, number: str) -> str:
    """The ARN of a change set, which is its id.

    >>> of_change_set("eu-west-1", "123456789012", "first", "9bd2")
    'arn:aws:cloudformation:eu-west-1:123456789012:changeSet/first/9bd2'
    """
    return f"arn:aws:cloudformation:{region}:{account}:changeSet/{name}/{number}"


def qualified(function: str, qualifier: str | None) -> str:
    """A function's name or ARN with a qualifier, if there is one.

    >>> qualified("work", "live"), qualified("work", None)
    ('work:live', 'work')
    """
    return f"{function}:{qualifier}" if qualifier else function


# -- taken apart -----------------------------------------------------------------------------


def is_arn(name: str) -> bool:
    """
    >>> is_arn("arn:aws:sqs:eu-west-1:123456789012:orders"), is_arn("orders")
    (True, False)
    """
    return name.startswith("arn:")


def service(arn: str) -> str:
    """The service in an ARN; empty if it is none.

    >>> service("arn:aws:sqs:eu-west-1:123456789012:orders"), service("orders")
    ('sqs', '')
    """
    return arn.split(":")[2] if is_arn(arn) and arn.count(":") > 2 else ""


def queue_name(arn: str) -> str:
    """
    >>> queue_name("arn:aws:sqs:eu-west-1:123456789012:orders")
    'orders'
    """
    return arn.rpartition(":")[2]


def log_group_name(identifier: str) -> str:
    """The name of a log group in its name or ARN, with or without the streams behind it.

    >>> log_group_name("arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/work:*")
    '/aws/lambda/work'
    """
    return identifier.rpartition(":log-group:")[2].removesuffix(":*")


def unqualified(function_arn: str) -> str:
    """A function's ARN without the version or alias at its end.

    >>> unqualified("arn:aws:lambda:eu-west-1:123456789012:function:work:live")
    'arn:aws:lambda:eu-west-1:123456789012:function:work'
    """
    return ":".join(function_arn.split(":")[:7])


def function_and_qualifier(given: str) -> tuple[str, str]:
    """The name and the qualifier in a function's name, partial ARN or ARN; "" where there is none.

    >>> function_and_qualifier("arn:aws:lambda:eu-west-1:123456789012:function:work:live")
    ('work', 'live')
    >>> function_and_qualifier("123456789012:function:work")
    ('work', '')
    >>> function_and_qualifier("my_function:3")
    ('my_function', '3')
    """
    own_part = f":{given}".rpartition(":function:")[2].removeprefix(":")
    name, _, qualifier = own_part.partition(":")
    return name, qualifier
