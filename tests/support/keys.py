"""API keys for a server of the tests: an operator's, two that start runs, one that reads."""

import hashlib

OPERATOR = "operator-key-0123456789"
ALICE, BOB, READER = "alice-key-0123456789", "bob-key-0123456789", "reader-key-0123456789"
ROLES = {"alice": (ALICE, "run"), "bob": (BOB, "run"), "reader": (READER, "read")}

#: The section of a configuration that knows the last three; the operator's comes from the environment.
AUTH = {
    "mode": "key",
    "keys": [
        {"name": name, "role": role, "hash": "sha256:" + hashlib.sha256(key.encode()).hexdigest()}
        for name, (key, role) in ROLES.items()
    ],
}
