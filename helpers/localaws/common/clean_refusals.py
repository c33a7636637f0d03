"""What moto has not implemented gets a refusal of AWS's form, and no page with HTTP 500."""

from __future__ import annotations

import json
from typing import Any

from moto.core.responses import BaseResponse

ERROR_TYPE = "X-Amzn-ErrorType"


class CleanRefusals(BaseResponse):
    """Goes in front of moto's responses of a service.

    HTTP 501 is what botocore does not repeat.
    """

    def call_action(self) -> Any:
        try:
            return super().call_action()
        except NotImplementedError as error:
            return 501, {"status": "501", ERROR_TYPE: "NotImplemented"}, self.refusal(str(error))

    @staticmethod
    def refusal(message: str) -> str:
        return json.dumps({"__type": "NotImplemented", "message": message})
