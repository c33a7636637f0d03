"""Event source mappings: what the API answers, refuses and goes through."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from helpers import steps
from helpers.waiting import when_role_is_ready
from tests.conformance.kit import HEAD, Declared, Scenario, poll, refusal, unique

SHOWS = HEAD + "    show(event)\n"
PASSES = HEAD + "    pass\n"
KEYS = {
    *("BatchSize", "EventSourceArn", "EventSourceMappingArn", "FunctionArn", "LastModified"),
    *("FunctionResponseTypes", "MaximumBatchingWindowInSeconds", "State", "UUID"),
    "StateTransitionReason",
}
INVALID = "InvalidParameterValueException"
NOT_FOUND = (404, "ResourceNotFoundException", "The resource you requested does not exist.")
NEEDS_A_WINDOW = (
    400,
    INVALID,
    "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater "
    "than 10",
)

DIFFERS = {
    "LS-075": "On AWS records may still be delivered for up to a minute after a mapping was "
    "disabled; here the flow stops with the answer of the update.",
}
UNKNOWN = {
    "G-01": "That a longer timeout of the function is refused, and that a trigger over a queue "
    "that became too short can be switched off, is not documented; AWS's pages speak "
    "of creating and updating a mapping alone.",
    "G-04": "AWS's answer to BatchSize 11 on a FIFO queue is not known; here it is that of a "
    "standard queue without a batching window.",
    "G-05": "AWS's words for MaximumConcurrency 1001 are not known; here they have the form "
    "of AWS's other range errors, with 400 ValidationException.",
    "G-08": "Which changes AWS refuses in which transient state is not recorded; here every "
    "update and deletion is refused in every one of them, with the words that users report.",
}

PLAIN = Scenario(SHOWS)
PARTIAL = Scenario(SHOWS, FunctionResponseTypes=["ReportBatchItemFailures"])
DISABLED = Scenario(SHOWS, ["wait"], Enabled=False)
SWITCHED_OFF = Scenario(SHOWS)
REMOVED = Scenario(SHOWS)
IN_USE = Scenario(SHOWS)
TAGGED = Scenario(SHOWS, Enabled=False, Tags={"who": "me", "empty": ""})
OTHER = Declared(PASSES)
ALIASED = Declared(HEAD + "    print(event['Records'][0]['body'])\n")
VERSIONED = Declared("WHICH = 'first'\n" + HEAD + "    print('DONE', WHICH)\n")


def create(aws, **arguments: Any) -> tuple[int, str, str]:
    """How CreateEventSourceMapping is refused for a good queue and function, changed."""
    return refusal(
        aws.lambda_.create_event_source_mapping,
        **{"FunctionName": OTHER.name, "EventSourceArn": PLAIN.arn, **arguments},
    )


def keys(answer: dict[str, Any]) -> set[str]:
    return set(answer) - {"ResponseMetadata"}


# -- create, get, update, delete ---------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "types"),
    [(PLAIN, []), (PARTIAL, ["ReportBatchItemFailures"])],
    ids=["default", "partial batch responses"],
)
def test_LS_001_a_mapping_is_created(aws, scenario, types) -> None:
    aws.invocations(scenario)
    created = scenario.created
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert keys(created) == KEYS
    arn = f"arn:aws:lambda:{aws.region}:{aws.account}"
    assert created["EventSourceMappingArn"] == f"{arn}:event-source-mapping:{created['UUID']}"
    assert created["FunctionArn"] == f"{arn}:function:{scenario.function.name}"
    assert created["EventSourceArn"] == scenario.arn
    assert (created["State"], created["StateTransitionReason"]) == ("Creating", "USER_INITIATED")
    assert (created["BatchSize"], created["MaximumBatchingWindowInSeconds"]) == (10, 0)
    assert created["FunctionResponseTypes"] == types
    assert str(uuid.UUID(created["UUID"])) == created["UUID"]
    seen = aws.wait_mapping(scenario.uuid, "Enabled")
    assert seen["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert keys(seen) == KEYS
    differ = {key for key in KEYS if seen[key] != created[key]}
    assert differ <= {"State", "LastModified"}


def test_LS_021_created_disabled_then_enabled(aws) -> None:
    assert aws.invocations(DISABLED) == []
    created = DISABLED.created
    assert (created["State"], created["ResponseMetadata"]["HTTPStatusCode"]) == ("Disabled", 202)
    enabled = aws.lambda_.update_event_source_mapping(UUID=DISABLED.uuid, Enabled=True)
    assert (enabled["State"], enabled["StateTransitionReason"]) == ("Enabling", "USER_INITIATED")
    assert enabled["ResponseMetadata"]["HTTPStatusCode"] == 202
    aws.wait_mapping(DISABLED.uuid, "Enabled")
    (seen,) = aws.invocations(DISABLED, 1)
    assert seen["records"][0]["attributes"]["ApproximateReceiveCount"] == "1"


def test_LS_075_G_08_a_disabled_mapping_delivers_nothing(aws) -> None:
    aws.invocations(SWITCHED_OFF)
    aws.wait_mapping(SWITCHED_OFF.uuid, "Enabled")
    answer = aws.lambda_.update_event_source_mapping(UUID=SWITCHED_OFF.uuid, Enabled=False)
    assert (answer["State"], answer["StateTransitionReason"]) == ("Disabling", "USER_INITIATED")
    aws.wait_mapping(SWITCHED_OFF.uuid, "Disabled")
    aws.sqs.send_message(QueueUrl=SWITCHED_OFF.url, MessageBody="left alone")
    time.sleep(1)
    (message,) = aws.receive(SWITCHED_OFF.url)
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert aws.invocations(SWITCHED_OFF) == []


def test_LS_022_deleted(aws) -> None:
    aws.invocations(REMOVED)
    before = aws.wait_mapping(REMOVED.uuid, "Enabled")
    deleted = aws.lambda_.delete_event_source_mapping(UUID=REMOVED.uuid)
    assert (deleted["State"], deleted["ResponseMetadata"]["HTTPStatusCode"]) == ("Deleting", 202)
    assert keys(deleted) == KEYS
    differ = {key for key in KEYS if before[key] != deleted[key]}
    assert differ <= {"State", "LastModified"}
    assert aws.lambda_.get_event_source_mapping(UUID=REMOVED.uuid)["State"] == "Deleting"
    listed = aws.lambda_.list_event_source_mappings
    poll(
        lambda: listed(EventSourceArn=REMOVED.arn)["EventSourceMappings"],
        lambda mappings: not mappings,
        "the mapping to be gone",
    )
    assert refusal(aws.lambda_.get_event_source_mapping, UUID=REMOVED.uuid) == NOT_FOUND
    aws.sqs.send_message(QueueUrl=REMOVED.url, MessageBody="nobody")
    (message,) = aws.receive(REMOVED.url)
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_LS_073_two_functions_on_one_queue_and_listing(aws) -> None:
    second = aws.create_mapping(EventSourceArn=PLAIN.arn, FunctionName=OTHER.name)

    def listed(**arguments: str) -> list[str]:
        answer = aws.lambda_.list_event_source_mappings(**arguments)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
        return sorted(mapping["UUID"] for mapping in answer["EventSourceMappings"])

    assert listed(EventSourceArn=PLAIN.arn) == sorted([PLAIN.uuid, second["UUID"]])
    assert listed(EventSourceArn=PLAIN.arn, FunctionName=OTHER.name) == [second["UUID"]]
    assert listed(FunctionName="unknown") == []
    assert listed(EventSourceArn=f"arn:aws:sqs:{aws.region}:111111111111:nope") == []


def test_LS_074_a_mapping_is_moved_to_another_version(aws) -> None:
    publish = aws.lambda_.publish_version
    first = publish(FunctionName=VERSIONED.name)["FunctionArn"]
    source = VERSIONED.source.replace("first", "second")
    aws.lambda_.update_function_code(
        FunctionName=VERSIONED.name, ZipFile=steps.make_package(source)
    )
    aws.wait_updated(VERSIONED.name)
    second = publish(FunctionName=VERSIONED.name)["FunctionArn"]
    url, arn = aws.queue()
    mapping = aws.create_mapping(EventSourceArn=arn, FunctionName=first)
    assert mapping["FunctionArn"] == first
    aws.wait_mapping(mapping["UUID"], "Enabled")
    aws.sqs.send_message(QueueUrl=url, MessageBody="one")
    assert aws.wait_lines(VERSIONED.name, 1) == ["DONE first\n"]
    moved = aws.lambda_.update_event_source_mapping(UUID=mapping["UUID"], FunctionName=second)
    assert moved["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert (moved["UUID"], moved["State"]) == (mapping["UUID"], "Updating")
    assert moved["FunctionArn"] == second
    aws.wait_mapping(mapping["UUID"], "Enabled")
    aws.sqs.send_message(QueueUrl=url, MessageBody="two")
    lines = aws.wait_lines(VERSIONED.name, 2)
    assert sorted(lines) == ["DONE first\n", "DONE second\n"]


@pytest.fixture(scope="module")
def aliased(aws) -> str:
    """A function with version 1 and an alias for it."""
    aws.lambda_.publish_version(FunctionName=ALIASED.name)
    aws.lambda_.create_alias(FunctionName=ALIASED.name, Name="myalias", FunctionVersion="1")
    return ALIASED.name


@pytest.mark.parametrize("suffix", ["", ":$LATEST", ":1", ":myalias"])
def test_LS_077_spellings_of_the_function_name(aws, aliased, suffix) -> None:
    arn = f"arn:aws:lambda:{aws.region}:{aws.account}:function:{aliased}{suffix}"
    for spelling in (aliased + suffix, arn):
        url, queue = aws.queue()
        aws.sqs.send_message(QueueUrl=url, MessageBody=spelling)
        mapping = aws.create_mapping(EventSourceArn=queue, FunctionName=spelling)
        assert mapping["FunctionArn"] == arn
        poll(
            lambda: aws.own_lines(aliased),
            lambda lines, wanted=spelling: f"{wanted}\n" in lines,
            f"the message to {spelling}",
        )


def test_LS_078_an_empty_filter_list_is_left_out(aws) -> None:
    _, arn = aws.queue()
    created = aws.create_mapping(
        EventSourceArn=arn,
        FunctionName=OTHER.name,
        Enabled=False,
        FilterCriteria={"Filters": []},
    )
    assert "FilterCriteria" not in created
    criteria = {"Filters": [{"Pattern": '{"body": {"a": ["b"]}}'}]}
    update = aws.lambda_.update_event_source_mapping
    with_filter = update(UUID=created["UUID"], FilterCriteria=criteria)
    assert with_filter["FilterCriteria"] == criteria
    without = update(UUID=created["UUID"], FilterCriteria={"Filters": []})
    assert "FilterCriteria" not in without


def test_LS_080_tags_of_a_mapping(aws) -> None:
    aws.invocations(TAGGED)
    listed = aws.lambda_.list_tags(Resource=TAGGED.created["EventSourceMappingArn"])
    assert listed["Tags"] == {"who": "me", "empty": ""}


@pytest.mark.parametrize(
    ("batch_size", "window_s"), [(15, 10), (100, 10), (1000, 10), (10000, 10), (10, 300)]
)
def test_LS_015_large_batches_are_accepted_and_echoed(aws, batch_size, window_s) -> None:
    _, arn = aws.queue()
    created = aws.create_mapping(
        EventSourceArn=arn,
        FunctionName=OTHER.name,
        Enabled=False,
        BatchSize=batch_size,
        MaximumBatchingWindowInSeconds=window_s,
    )
    assert created["BatchSize"] == batch_size
    assert created["MaximumBatchingWindowInSeconds"] == window_s


@pytest.mark.parametrize("highest", [2, 1000])
def test_LS_026_G_05_maximum_concurrency_is_echoed(aws, highest) -> None:
    _, arn = aws.queue()
    created = aws.create_mapping(
        EventSourceArn=arn,
        FunctionName=OTHER.name,
        Enabled=False,
        ScalingConfig={"MaximumConcurrency": highest},
    )
    assert created["ScalingConfig"] == {"MaximumConcurrency": highest}


# -- what is refused ---------------------------------------------------------------------


def test_LS_014_a_batch_size_above_ten_needs_a_window(aws) -> None:
    assert create(aws, BatchSize=11) == NEEDS_A_WINDOW
    update = aws.lambda_.update_event_source_mapping
    assert refusal(update, UUID=TAGGED.uuid, BatchSize=11) == NEEDS_A_WINDOW
    with pytest.raises(aws.lambda_.exceptions.InvalidParameterValueException) as raised:
        update(UUID=TAGGED.uuid, BatchSize=11)
    assert raised.value.response["Type"] == "User"
    assert raised.value.response["message"] == NEEDS_A_WINDOW[2]


def test_LS_016_duplicate(aws) -> None:
    text = (
        f'An event source mapping with SQS arn (" {PARTIAL.arn} ") and function '
        f'(" {PARTIAL.function.name} ") already exists. Please update or delete the existing '
        f"mapping with UUID {PARTIAL.uuid}"
    )
    refused = create(aws, EventSourceArn=PARTIAL.arn, FunctionName=PARTIAL.function.name)
    assert refused == (409, "ResourceConflictException", text)


def test_LS_017_no_such_queue(aws) -> None:
    arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{unique('nope')}"
    assert create(aws, EventSourceArn=arn) == (
        400,
        INVALID,
        "Error occurred while ReceiveMessage. SQS Error Code: "
        "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does "
        "not exist.",
    )


def test_LS_018_no_such_function(aws) -> None:
    arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{unique('nope')}"
    refused = create(aws, FunctionName="nope", EventSourceArn=arn)
    assert refused == (400, INVALID, "Function does not exist")


def test_LS_019_no_source(aws) -> None:
    refused = refusal(aws.lambda_.create_event_source_mapping, FunctionName="nope")
    assert refused == (400, INVALID, "Unrecognized event source.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:sqs:us-east-1:1:d"}}},
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        ({"StartingPosition": "LATEST"}, "StartingPosition is not valid for SQS event sources."),
    ],
    ids=["LS-019", "G-06"],
)
def test_LS_019_G_06_settings_that_a_queue_does_not_have(aws, arguments, message) -> None:
    arn = f"arn:aws:sqs:{aws.region}:{aws.account}:nope"
    refused = create(aws, FunctionName="nope", EventSourceArn=arn, **arguments)
    assert refused == (400, INVALID, message)


@pytest.mark.parametrize("verb", ["get", "update", "delete"])
def test_LS_020_unknown_uuid(aws, verb) -> None:
    call = getattr(aws.lambda_, f"{verb}_event_source_mapping")
    assert refusal(call, UUID=str(uuid.uuid4())) == NOT_FOUND
    with pytest.raises(aws.lambda_.exceptions.ResourceNotFoundException) as raised:
        call(UUID=str(uuid.uuid4()))
    assert raised.value.response["Type"] == "User"
    assert raised.value.response["Message"] == NOT_FOUND[2]


@pytest.mark.parametrize(
    "settings",
    [
        {"FilterCriteria": {"Filters": [{"Pattern": [1]}]}},
        {"FilterCriteria": {"Filters": [{"pattern": "{}"}]}},
        {"FilterCriteria": None},
        {"BatchSize": 0},
        {"MaximumBatchingWindowInSeconds": -1},
        {"ScalingConfig": {"MaximumConcurrency": 1}},
    ],
    ids=str,
)
def test_LS_079_G_05_boto3_itself_refuses(aws, settings) -> None:
    with pytest.raises(ParamValidationError):
        aws.lambda_.create_event_source_mapping(
            EventSourceArn=PLAIN.arn, FunctionName="unknown", **settings
        )


@pytest.mark.parametrize(
    "settings",
    [
        {"BatchSize": 10001, "MaximumBatchingWindowInSeconds": 1},
        {"MaximumBatchingWindowInSeconds": 301},
        {"ScalingConfig": {"MaximumConcurrency": 1001}},
    ],
    ids=str,
)
def test_LS_079_G_05_above_a_range_only_AWS_refuses(aws, settings) -> None:
    status, code, _ = create(aws, **settings)
    assert (status, code) == (400, "ValidationException")


def test_G_01_visibility_timeout_below_the_functions(aws) -> None:
    _, arn = aws.queue(VisibilityTimeout=0)
    text = "Queue visibility timeout: 0 seconds is less than Function timeout: 3 seconds"
    assert create(aws, EventSourceArn=arn) == (400, INVALID, text)


def test_G_01_a_longer_timeout_of_the_function_is_refused(aws) -> None:
    aws.invocations(TAGGED)
    refused = refusal(
        aws.lambda_.update_function_configuration, FunctionName=TAGGED.function.name, Timeout=31
    )
    text = "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds"
    assert refused == (400, INVALID, text)


@pytest.mark.parametrize("change", [{"Enabled": True}, {"BatchSize": 5}], ids=str)
def test_G_01_DF_04_an_update_over_a_queue_that_became_too_short(aws, change) -> None:
    mapping, url = mapping_over_a_queue_of_one_second(aws)
    text = "Queue visibility timeout: 1 seconds is less than Function timeout: 3 seconds"
    update = aws.lambda_.update_event_source_mapping
    assert refusal(update, UUID=mapping["UUID"], **change) == (400, INVALID, text)
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "3"})
    assert update(UUID=mapping["UUID"], **change)["UUID"] == mapping["UUID"]


def test_G_01_it_can_be_switched_off(aws) -> None:
    mapping, _ = mapping_over_a_queue_of_one_second(aws, Enabled=True)
    uuid = mapping["UUID"]
    aws.wait_mapping(uuid, "Enabled")
    answer = aws.lambda_.update_event_source_mapping(UUID=uuid, Enabled=False)
    assert answer["State"] == "Disabling"


def mapping_over_a_queue_of_one_second(aws, **settings) -> tuple[dict, str]:
    """A mapping, by default disabled, whose queue was shortened after it was created."""
    url, arn = aws.queue()
    mapping = aws.create_mapping(
        EventSourceArn=arn, FunctionName=OTHER.name, **{"Enabled": False, **settings}
    )
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    return mapping, url


def test_G_01_the_queue_of_a_function_with_a_longer_name_does_not_count(aws) -> None:
    name, (_, arn) = unique("name"), aws.queue(VisibilityTimeout=5)
    for each in (name, f"{name}2"):
        aws.create_function(each, TAGGED.function.source)
        aws.wait_active(each)
    aws.create_mapping(EventSourceArn=arn, FunctionName=f"{name}2")
    answer = aws.lambda_.update_function_configuration(FunctionName=name, Timeout=10)
    assert answer["Timeout"] == 10


def test_G_04_a_window_on_a_fifo_queue(aws) -> None:
    _, arn = aws.fifo_queue()
    refused = create(aws, EventSourceArn=arn, BatchSize=100, MaximumBatchingWindowInSeconds=5)
    assert refused == (400, INVALID, "Batching window is not supported for FIFO queues")


def test_G_08_no_change_while_a_mapping_changes_its_state(aws) -> None:
    aws.invocations(IN_USE)
    aws.wait_mapping(IN_USE.uuid, "Enabled")
    update = aws.lambda_.update_event_source_mapping
    assert update(UUID=IN_USE.uuid, BatchSize=5)["State"] == "Updating"
    in_use = "the event source mapping because it is in use."
    code = "ResourceInUseException"
    assert refusal(update, UUID=IN_USE.uuid, BatchSize=6) == (400, code, f"Cannot update {in_use}")
    delete = aws.lambda_.delete_event_source_mapping
    assert refusal(delete, UUID=IN_USE.uuid) == (400, code, f"Cannot delete {in_use}")
    assert aws.wait_mapping(IN_USE.uuid, "Enabled")["BatchSize"] == 5


# -- wall-clock --------------------------------------------------------------------------


def test_LS_081_a_new_trigger_delivers_within_the_time_of_the_recordings(aws) -> None:
    """40 s for a basic delivery on AWS; as an upper bound it is far from any noise here."""
    url, arn = aws.queue()
    began = time.monotonic()
    when_role_is_ready(aws.create_mapping, EventSourceArn=arn, FunctionName=OTHER.name)
    aws.sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"foo": "bar"}))
    aws.wait_empty(url)
    assert time.monotonic() - began < 120
