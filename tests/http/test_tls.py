"""A facade starts without the machine's certificates, and has them when it needs them."""

import subprocess
import sys

from ..support.receiver import TRUSTED

COUNTS = """
import runward.http.facade_process
from aiohttp import connector
from runward.http import tls
for context in (connector._SSL_CONTEXT_VERIFIED, connector._SSL_CONTEXT_UNVERIFIED, tls.verifying()):
    print(context.cert_store_stats()["x509"], context.verify_mode.name, context.check_hostname)
"""


def test_a_facade_reads_certificates_for_its_first_webhook_only() -> None:
    said = subprocess.run(
        [sys.executable, "-P", "-c", COUNTS],
        env={"SSL_CERT_FILE": str(TRUSTED), "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.splitlines() == ["0 CERT_REQUIRED True", "0 CERT_NONE False", "1 CERT_REQUIRED True"]
