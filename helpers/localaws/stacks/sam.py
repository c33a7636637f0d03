"""The transform of the Serverless Application Model, by AWS's own translator, offline."""

from __future__ import annotations

import copy
import json
import threading
from typing import Any

from helpers.localaws.stacks.refusals import invalid
from helpers.localaws.stacks.template import SAM, Template

_translating = threading.Lock()  # the translator keeps the region in a global variable


def transform(template: Template, parameters: dict[str, str], region: str) -> Template:
    """The template that a SAM template stands for. Raises StackError when it is none.

    The translator takes a second to import, so that is done when a template needs it.
    """
    import boto3
    from samtranslator.internal.managed_policies import get_bundled_managed_policy_map
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    with _translating:
        translator = Translator(
            get_bundled_managed_policy_map("aws"),
            Parser(),
            boto_session=boto3.Session(region_name=region),
        )
        try:
            done: Any = translator.translate(copy.deepcopy(template), dict(parameters))
        except InvalidDocumentException as error:
            causes = [error.message, *(cause.message for cause in error.causes)]
            raise invalid(f"Transform {SAM} failed with: {' '.join(causes)}") from None
    made: Template = json.loads(json.dumps(done))  # plain, and without the translator's own types
    made.pop("Transform", None)
    return made
