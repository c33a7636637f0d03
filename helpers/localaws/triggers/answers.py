"""What Lambda answers about event source mappings, where moto's answers differ.

A class that is mixed into `functions.answers.Responses`, where moto finds actions by their
names. It uses what moto gives to each request and `self.backend.triggers`.
"""

from __future__ import annotations

import json
from typing import Any

from moto.awslambda.responses import LambdaResponse


class MappingResponses(LambdaResponse):
    """The actions on mappings that AWS answers with another status than moto."""

    def create_event_source_mapping(self) -> Any:
        mapping = self.backend.triggers.create(self.json_body)
        return 202, {"status": 202}, json.dumps(mapping.get_configuration())

    def delete_event_source_mapping(self) -> Any:
        mapping = self.backend.triggers.delete(self.path.split("/")[-1])
        return 202, {"status": 202}, json.dumps(mapping.get_configuration())
