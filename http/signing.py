"""How what is told to a webhook is signed: as https://www.standardwebhooks.com has it, whose libraries can check it.

The signature is an HMAC-SHA256 over `ID.TIMESTAMP.BODY`. Pure.
"""

import base64
import hmac
from collections.abc import Iterable


def headers(message_id: str, now: float, body: bytes, secrets: Iterable[bytes]) -> dict[str, str]:
    """The three headers; with a signature for each secret, so that one can be replaced by another."""
    timestamp = str(int(now))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
