"""A cell that cannot go on says so in a sentence: the local AWS has ended, a setting is wrong."""

from __future__ import annotations

import os
import signal

import boto3
import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from helpers.account import sentences, target
from helpers.localaws import lifecycle
from tests.localaws.kit import POSIX, command, own_server, server_pid

BEGIN = "from helpers import course\ncourse.begin('01_create_queue')"
CALL = "import boto3\nboto3.client('sqs').list_queues()"


def run(cells: list[str], folder, between=None) -> list:
    """Run cells as a notebook does, with a local AWS of a folder. Returns all outputs."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    client = NotebookClient(notebook, timeout=60, kernel_name="python3")
    outputs = []
    with client.setup_kernel(env={**os.environ, "LOCALAWS_FOLDER": str(folder)}):
        for number, cell in enumerate(notebook.cells):
            if number and between:
                between()
            try:
                client.execute_cell(cell, number)
            except CellExecutionError:
                pass
            outputs.append(cell.outputs)
    return outputs


@pytest.mark.skipif(not POSIX, reason="kills a process by signal")
def test_the_cell_after_the_end_of_the_local_aws_says_so_and_what_to_do(tmp_path) -> None:
    def kill() -> None:
        os.kill(server_pid(tmp_path), signal.SIGKILL)

    try:
        _, after = run([BEGIN, CALL], tmp_path, kill)
        assert [output["output_type"] for output in after] == ["error"]
        assert after[0]["traceback"] == [sentences.ENDED]
        assert "Run the notebook from the top" in sentences.ENDED
        again = run([BEGIN, CALL], tmp_path)
        assert lifecycle.KILLED in again[0][0]["text"]
        assert [output["output_type"] for output in again[1]] == ["execute_result"]
    finally:
        command(tmp_path, "stop")


def test_a_wrong_setting_is_said_without_a_traceback(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SQS_COURSE_PREFIX", "with blank")
    [[error]] = run([BEGIN], tmp_path)
    assert error["traceback"] == [
        "SQS_COURSE_PREFIX is 'with blank'; use up to 20 letters, digits and hyphens."
    ]


def test_a_wait_in_vain_is_said_without_a_traceback(tmp_path) -> None:
    wait = "from helpers import waiting\nwaiting.wait_until(lambda: 0, bool, 'the moon', 0)"
    try:
        _, [error] = run([BEGIN, wait], tmp_path)
    finally:
        command(tmp_path, "stop")
    assert error["traceback"] == ["Waited 0 s for the moon; last seen: 0"]


def test_a_folder_that_cannot_be_used_is_said_without_a_traceback(tmp_path) -> None:
    (tmp_path / "file").touch()
    [[error]] = run([BEGIN], tmp_path / "file")
    assert error["traceback"][0].startswith("LOCALAWS_FOLDER is ")
    assert len(error["traceback"]) == 1


@pytest.mark.usefixtures("environment")
def test_a_call_that_fails_while_the_local_aws_is_there_fails_as_ever(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with own_server(tmp_path):
        monkeypatch.setenv("LOCALAWS_FOLDER", str(tmp_path))
        target.connect()
        client = boto3.client("sqs", endpoint_url="http://127.0.0.1:9")
        with pytest.raises(Exception, match="Could not connect to the endpoint URL"):
            client.list_queues()
    with pytest.raises(sentences.LocalAwsEnded):
        boto3.client("sqs").list_queues()
