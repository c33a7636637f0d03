"""The files of a function: its package, which nobody writes to, and its layers."""

from __future__ import annotations

import io
import os
import stat
import zipfile

import pytest

from tests.conformance.kit import HEAD, Declared, refusal, unique

BESIDE = "import json, os\n" + HEAD
READS = BESIDE + (
    "    with open(os.path.join(os.environ['LAMBDA_TASK_ROOT'], 'data', 'text')) as file:\n"
    "        return [file.read(), os.environ['LAMBDA_TASK_ROOT']]\n"
)
WRITES = BESIDE + (
    "    before = sorted(os.listdir('.'))\n"
    "    try:\n"
    "        open('written', 'w').close()\n"
    "    except OSError as error:\n"
    "        return [str(error), error.errno, before]\n"
)
IMPORTS = (
    "import importlib, os, sys\n" + HEAD + "    module = importlib.import_module(event)\n"
    "    return [module.WORDS, module.__file__, os.environ.get('WRAPPED')]\n"
)

WRITING = Declared(WRITES)

DIFFERS = {
    "DF-06": "Elsewhere too only /tmp can be written on AWS; here a handler can write wherever you "
    "can, except below /var/task and /opt",
    "DF-07": "The text /var/task leads nowhere; LAMBDA_TASK_ROOT and the working directory lead to "
    "a folder of your computer, which what a handler prints and returns shows as /var/task",
    "DF-09": "/opt/bin and /opt/lib are not in PATH and LD_LIBRARY_PATH, and a module that is "
    "compiled for AWS's system and Python may not run on yours",
}


def zipped(**files: str) -> bytes:
    """A zip file with texts, by their paths with "__" for "/"; a script may be executed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name.replace("__", "/"))
            mode = 0o755 if text.startswith("#!") else 0o644
            entry.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(entry, text)
    return buffer.getvalue()


def function_of(aws, package: bytes, **settings) -> str:
    name = unique("fn")
    aws.create_function(name, "", Code={"ZipFile": package}, **settings)
    aws.wait_active(name)
    return name


def layer(aws, **files: str) -> str:
    """The ARN of a new layer with these files."""
    made = aws.lambda_.publish_layer_version(
        LayerName=unique("layer"), Content={"ZipFile": zipped(**files)}
    )
    name = made["LayerArn"].rpartition(":")[2]
    aws.later(aws.lambda_.delete_layer_version, LayerName=name, VersionNumber=made["Version"])
    return made["LayerVersionArn"]


def test_DF_06_a_relative_write_is_refused(aws) -> None:
    message = "[Errno 30] Read-only file system: 'written'"
    for _ in range(2):
        assert aws.invoke(WRITING.name).value == [message, 30, ["lambda_function.py"]]


def test_DF_07_a_file_beside_the_handler(aws) -> None:
    package = zipped(**{"lambda_function.py": READS, "data__text": "beside"})
    assert aws.invoke(function_of(aws, package)).value == ["beside", "/var/task"]


def test_DF_09_modules_of_layers_can_be_imported(aws) -> None:
    first = layer(aws, **{"python__greeting.py": "WORDS = 'from the first'\n"})
    second = layer(
        aws,
        **{
            "python__greeting.py": "WORDS = 'from the second'\n",
            "python__lib__python3.13__site-packages__deep.py": "WORDS = 'from deep inside'\n",
        },
    )
    name = function_of(
        aws, zipped(**{"lambda_function.py": IMPORTS}), Layers=[first, second], Timeout=20
    )
    assert aws.invoke(name, "greeting").value[:2] == [
        "from the second",
        "/opt/python/greeting.py",
    ]
    assert aws.invoke(name, "deep").value[:2] == [
        "from deep inside",
        "/opt/python/lib/python3.13/site-packages/deep.py",
    ]
    aws.lambda_.update_function_configuration(FunctionName=name, Layers=[first])
    aws.wait_updated(name)
    assert aws.invoke(name, "greeting").value[0] == "from the first"
    assert aws.invoke(name, "deep").error == "Unhandled"


def test_DF_09_a_layer_outlives_its_deletion(aws) -> None:
    arn = layer(aws, **{"python__kept.py": "WORDS = 'kept'\n"})
    name = function_of(aws, zipped(**{"lambda_function.py": IMPORTS}), Layers=[arn], Timeout=20)
    *_, layer_name, version = arn.split(":")
    aws.lambda_.delete_layer_version(LayerName=layer_name, VersionNumber=int(version))
    assert aws.invoke(name, "kept").value[0] == "kept"


@pytest.mark.skipif(os.name == "nt", reason="runs a shell script")
@pytest.mark.parametrize("where", ["/var/task/", "/opt/"])
def test_DF_09_a_script_keeps_its_execute_bit(aws, where) -> None:
    script = '#!/bin/sh\nWRAPPED=yes exec "$@"\n'
    module = {"lambda_function.py": IMPORTS, "words.py": "WORDS = 'wrapped'\n"}
    of_package = {**module, "wrapper": script} if where == "/var/task/" else module
    layers = [layer(aws, wrapper=script)] if where == "/opt/" else []
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": f"{where}wrapper"}
    name = function_of(
        aws,
        zipped(**of_package),
        Layers=layers,
        Environment={"Variables": variables},
        Timeout=20,
    )
    assert aws.invoke(name, "words").value == ["wrapped", "/var/task/words.py", "yes"]


def test_DF_09_a_layer_that_is_no_zip_file(aws) -> None:
    refused = refusal(
        aws.lambda_.publish_layer_version, LayerName=unique("no"), Content={"ZipFile": b"no zip"}
    )
    assert refused[:2] == (400, "InvalidParameterValueException")
    assert refused[2].startswith("Could not unzip uploaded file.")
