"""CloudWatch Logs: moto's answers corrected to AWS's, where the course meets them."""

from __future__ import annotations

import functools
import json
import re
import threading
from typing import TYPE_CHECKING, Any

from moto.logs import models as moto_logs
from moto.logs import urls as moto_urls
from moto.logs.exceptions import (
    InvalidParameterException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from moto.logs.responses import LogsResponse

from helpers.localaws.common import arns
from helpers.localaws.common.clean_refusals import CleanRefusals
from helpers.localaws.common.moto_patches import put_in_place, replace
from helpers.localaws.metrics.recording import record_lines
from helpers.localaws.queues.message_store import now_ms

if TYPE_CHECKING:
    from helpers.localaws.logs.insights import Insights

NO_STREAM = "The specified log stream does not exist."
STANDARD = "STANDARD"  # the class of a log group
NOT_BY_PATTERN = ("storedBytes", "deletionProtectionEnabled")
MAX_NAME = 512
GROUP_NAME, STREAM_NAME = r"[\.\-_/#A-Za-z0-9]+", "[^:*]*"
TERM = re.compile(r'([?-]?)("(?:[^"\\]|\\.)*"|\S+)')


class TextPattern:
    """A filter pattern for text, as FilterLogEvents has it.

    Terms and phrases in quotes must all be there, one of those with a question mark must be,
    and none of those with a minus; a question mark counts only if no other term is required.
    CloudWatch Logs User Guide, "Filter pattern syntax: Match terms using text". A pattern for
    JSON or for columns, which begins with a brace or a bracket, lets every event through.
    """

    def __init__(self, pattern: str | None) -> None:
        pattern = (pattern or "").strip()
        found = [] if pattern[:1] in ("{", "[", "%") else TERM.findall(pattern)
        words: dict[str, list[str]] = {"": [], "?": [], "-": []}
        for mark, term in found:
            words[mark].append(term.strip('"'))
        self._all, self._any, self._none = words[""], words["?"], words["-"]

    def matches(self, message: str) -> bool:
        if any(term in message for term in self._none):
            return False
        if self._all:
            return all(term in message for term in self._all)
        return not self._any or any(term in message for term in self._any)


def fits(name: str, pattern: str) -> bool:
    """Whether a name has a part, or begins so when the pattern begins with `^`.

    >>> fits("/aws/lambda/work", "^/aws"), fits("/aws/lambda/work", "^work")
    (True, False)
    """
    wanted = pattern.removeprefix("^")
    return name.startswith(wanted) if pattern != wanted else wanted in name


def check_name(parameter: str, name: str, pattern: str) -> None:
    """The name of a new group or stream (LS-139).

    The first text is recorded, the second one reported: aws/aws-embedded-metrics-java #65 and
    j256/cloudwatch-logback-appender #34.
    """
    if len(name) > MAX_NAME:
        raise InvalidParameterException(
            "Invalid LogGroup or LogStream, both must have length less than or equal to "
            f"{MAX_NAME}."
        )
    if not re.fullmatch(pattern, name):
        constraint = f"Member must satisfy regular expression pattern: {pattern}"
        raise InvalidParameterException(constraint=constraint, parameter=parameter, value=name)


class ByName(dict[str, Any]):
    """Log groups or streams by name, while handlers write and others come and go.

    Who goes through them sees those of one moment. One that is not there, or not any more,
    is refused with AWS's words.
    """

    def __init__(self, *refusal: str) -> None:
        super().__init__()
        self._refusal = refusal

    def __missing__(self, name: str) -> None:
        raise ResourceNotFoundException(*self._refusal)

    def items(self) -> list[tuple[str, Any]]:  # type: ignore[override]
        return list(super().items())

    def values(self) -> list[Any]:  # type: ignore[override]
        return list(super().values())


class Backend(moto_logs.LogsBackend):
    """moto's log groups of one account and region, with AWS's words for what is not there.

    What looks before it makes, fills or removes something holds the lock.
    """

    def __init__(self, region_name: str, account_id: str) -> None:
        self._lock = threading.RLock()
        super().__init__(region_name, account_id)
        self.groups = ByName()
        self._insights: Insights | None = None

    @property
    def insights(self) -> Insights:
        """The queries of Logs Insights, whose parser is imported with the first of them."""
        from helpers.localaws.logs.insights import Insights

        with self._lock:
            if self._insights is None:
                self._insights = Insights(self.account_id, self.groups)
            return self._insights

    def write(self, group_name: str, stream_name: str, message: str) -> None:
        """One event of now, in a group and a stream that are made if they are not there."""
        with self._lock:
            self.ensure_log_group(group_name)
            streams = self.groups[group_name].streams
            if stream_name not in streams:
                self.create_log_stream(group_name, stream_name)
            streams[stream_name].put_log_events([{"timestamp": now_ms(), "message": message}])

    def put_log_events(
        self, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]
    ) -> tuple[str, dict[str, Any]]:
        with self._lock:
            answer = super().put_log_events(log_group_name, log_stream_name, log_events)
        record_lines(self.account_id, self.region_name, [each["message"] for each in log_events])
        return answer

    def create_log_group(
        self, log_group_name: str, tags: dict[str, str], **named: Any
    ) -> moto_logs.LogGroup:
        check_name("logGroupName", log_group_name, GROUP_NAME)
        with self._lock:
            group = super().create_log_group(log_group_name, tags, **named)
            group.streams = ByName(NO_STREAM)
            return group

    def ensure_log_group(self, log_group_name: str) -> None:
        with self._lock:
            if log_group_name not in self.groups:
                self.create_log_group(log_group_name, {})

    def delete_log_group(self, log_group_name: str) -> None:
        with self._lock:
            super().delete_log_group(log_group_name)

    def create_log_stream(self, log_group_name: str, log_stream_name: str) -> None:
        check_name("logStreamName", log_stream_name, STREAM_NAME)
        with self._lock:
            try:
                super().create_log_stream(log_group_name, log_stream_name)
            except ResourceAlreadyExistsException:
                raise stream_exists() from None

    def delete_log_stream(self, log_group_name: str, log_stream_name: str) -> None:
        with self._lock:
            self._stream(log_group_name, log_stream_name)
            super().delete_log_stream(log_group_name, log_stream_name)

    def get_log_events(
        self, log_group_name: str, log_group_id: str, log_stream_name: str, **named: Any
    ) -> Any:
        group = self._find_log_group(log_group_id, log_group_name=log_group_name)
        self._stream(group.name, log_stream_name)
        return super().get_log_events(
            log_group_name=group.name, log_group_id=None, log_stream_name=log_stream_name, **named
        )

    def _stream(self, group_name: str, name: str) -> moto_logs.LogStream:
        return self.groups[group_name].streams[name]


def stream_exists() -> ResourceAlreadyExistsException:
    error = ResourceAlreadyExistsException()
    error.description = error.description.replace("log group", "log stream")
    return error


class Responses(CleanRefusals, LogsResponse):
    """moto's Logs responses, where a log group may also be given by its ARN."""

    content_type = "application/x-amz-json-1.1"

    def _get_param(self, param_name: str, if_none: Any = None) -> Any:
        value = super()._get_param(param_name, if_none)
        if param_name == "logGroupName" and value is None:
            identifier = super()._get_param("logGroupIdentifier")
            return arns.log_group_name(identifier) if identifier else if_none
        if param_name == "logGroupNames" and value is None:
            return [
                arns.log_group_name(each)
                for each in super()._get_param("logGroupIdentifiers") or []
            ]
        return value

    def describe_log_groups(self) -> str:
        prefix, pattern = (
            self._get_param("logGroupNamePrefix"),
            self._get_param("logGroupNamePattern"),
        )
        if prefix and pattern:
            raise InvalidParameterException(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
            )
        found = [
            {"logGroupClass": STANDARD, "deletionProtectionEnabled": False}
            | group.to_describe_dict()
            for group in self._groups_of_class()
            if group.name.startswith(prefix or "") and (pattern or "") in group.name
        ]
        if pattern:  # recorded: such an answer is shorter
            found = [
                {key: each[key] for key in each if key not in NOT_BY_PATTERN} for each in found
            ]
        return self._page(found, 50)

    def list_log_groups(self) -> str:
        alternatives = (self._get_param("logGroupNamePattern") or "^").split("|")
        found = [
            {"logGroupName": group.name, "logGroupArn": group.arn, "logGroupClass": STANDARD}
            for group in self._groups_of_class()
            if any(map(functools.partial(fits, group.name), alternatives))
        ]
        return self._page(found, 1000)

    def _groups_of_class(self) -> list[moto_logs.LogGroup]:
        """The log groups of the wanted class, by name. Here all are of the standard one."""
        if self._get_param("logGroupClass", STANDARD) != STANDARD:
            return []
        return sorted(self.logs_backend.groups.values(), key=lambda group: group.name)

    def _page(self, found: list[dict[str, Any]], most: int) -> str:
        """A page of log groups in the order of their names. A token is the last name of a page."""
        limit = self._get_param("limit", 50)
        if not 1 <= limit <= most:
            bound = (
                f"less than or equal to {most}" if limit > most else "greater than or equal to 1"
            )
            raise InvalidParameterException(
                constraint=f"Member must have value {bound}", parameter="limit", value=limit
            )
        after = self._get_param("nextToken") or ""
        left = [each for each in found if each["logGroupName"] > after]
        answer: dict[str, Any] = {"logGroups": left[:limit]}
        if len(left) > limit:
            answer["nextToken"] = left[limit - 1]["logGroupName"]
        return json.dumps(answer)

    @property
    def _insights(self) -> Insights:
        return self.logs_backend.insights

    def start_query(self) -> str:
        language = self._get_param("queryLanguage", "CWLI")
        name, names = self._get_param("logGroupName"), self._get_param("logGroupNames") or []
        if language != "CWLI" or bool(name) == bool(names):
            raise InvalidParameterException()
        query_id = self._insights.start(
            [name] if name else list(dict.fromkeys(names)),
            self._get_param("queryString"),
            self._get_param("startTime"),
            self._get_param("endTime"),
            self._get_param("limit"),
        )
        return json.dumps({"queryId": query_id})

    def get_query_results(self) -> str:
        return json.dumps(self._insights.results(self._get_param("queryId")))

    def stop_query(self) -> str:
        return json.dumps({"success": self._insights.stop(self._get_param("queryId"))})

    def describe_queries(self) -> str:
        group, status = self._get_param("logGroupName"), self._get_param("status")
        most = self._get_param("maxResults", 1_000)
        return json.dumps({"queries": self._insights.describe(group, status, most)})

    def get_log_record(self) -> str:
        record = self._insights.record(self._get_param("logRecordPointer"))
        return json.dumps({"logRecord": record})


def install() -> None:
    """Make moto's server use these log groups."""
    put_in_place(moto_logs.logs_backends, Backend, moto_urls, Responses.dispatch)
    replace(moto_logs, "EventMessageFilter", functools.lru_cache(maxsize=100)(TextPattern))
