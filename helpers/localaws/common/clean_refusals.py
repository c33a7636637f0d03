"""What moto has not implemented gets a refusal of AWS's form, and no page with HTTP 500.

What it answers has AWS's content type.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.responses import BaseResponse

ERROR_TYPE = "X-Amzn-ErrorType"


class CleanRefusals(BaseResponse):
    """Goes in front of moto's responses of a service.

    HTTP 501 is what botocore does not repeat.
    """

    content_type = ""  # of all answers; the one that moto gives each of them if it is empty

    def call_action(self) -> Any:
        try:
            status, headers, body = super().call_action()
        except NotImplementedError as error:
            return 501, {"status": "501", ERROR_TYPE: "NotImplemented"}, self.refusal(str(error))
        if self.content_type:
            headers = {key: headers[key] for key in headers if key.lower() != "content-type"}
            headers["Content-Type"] = self.content_type
        return status, headers, body

    @staticmethod
    def refusal(message: str) -> str:
        return json.dumps({"__type": "NotImplemented", "message": message})
