"""`runward keys`: make, list and revoke API keys of the server whose state folder is here."""

import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from ..config.kinds import KeyName
from ..http import api_address, kept_keys
from . import describing, options
from .arguments import Argument, Command, Option
from .columns import columns
from .outcome import CommandError, ExitCode, print_json
from .terminal import confirmed, whisper

Name = Annotated[str, Argument(metavar="NAME", help="Whose key it is; the owner of the runs that it starts.")]
#: Names that a server gives to keys of its own.
TAKEN = ("local", "environment")


def create(
    name: Name,
    role: Annotated[
        Literal["run", "read", "operate"],
        Option(
            help="run: starts runs, sees and controls its own; read: sees all; operate: sees and controls all."
        ),
    ] = "run",
    as_json: options.Json = False,
    state: options.State = None,
) -> int:
    """Make a key and print it, this once: only its hash is kept. It counts at once, without a restart."""
    if name in TAKEN or not _can_be(name):
        message = (
            f"{name!r} can't name a key: 1 to 64 letters, digits, and . _ @ - can, and none of a server's own"
        )
        raise CommandError(message, ExitCode.USAGE, "usage")
    try:
        key, made = kept_keys.create(_folder(state), name, role, time.time())
    except kept_keys.KeyTaken as error:
        raise CommandError(str(error), code="key_taken") from error
    except kept_keys.KeysUnusable as error:
        raise CommandError(str(error)) from error
    if as_json:
        print_json({**_document(made), "key": key})
    else:
        print(key)
        whisper(f"this is the key of {name} (role {role}); it is kept nowhere and shown only now")
    return ExitCode.DONE


def list_all(as_json: options.Json = False, state: options.State = None) -> int:
    """List the keys that were made by command; those of the configuration are in `runward config show`."""
    try:
        keys = kept_keys.read(_folder(state) / kept_keys.NAME)
    except kept_keys.KeysUnusable as error:
        raise CommandError(str(error)) from error
    if as_json:
        print_json({"object": "list", "data": [_document(key) for key in keys]})
    else:
        now = time.time()
        rows = [
            (key.name, key.role, describing.age(now - key.created_at), key.hash[:15] + "…") for key in keys
        ]
        print("\n".join(columns([("NAME", "ROLE", "AGE", "HASH"), *rows])))
    return ExitCode.DONE


def revoke(
    name: Name,
    yes: options.Yes = False,
    as_json: options.Json = False,
    state: options.State = None,
) -> int:
    """Let nobody in by this key any more. It counts at once, without a restart; its runs go on."""
    if not yes and sys.stdin.isatty() and sys.stderr.isatty() and not confirmed(f"Revoke the key of {name}?"):
        raise CommandError("nothing was revoked", code="not_confirmed")
    try:
        kept_keys.revoke(_folder(state), name)
    except kept_keys.KeyUnknown as error:
        raise CommandError(f"{error}; `runward keys list` lists them", code="key_not_found") from error
    except kept_keys.KeysUnusable as error:
        raise CommandError(str(error)) from error
    if as_json:
        print_json({"name": name, "revoked": True})
    else:
        whisper(f"the key of {name} is revoked")
    return ExitCode.DONE


COMMANDS: dict[str, Command] = {"create": create, "list": list_all, "revoke": revoke}


def _folder(state: Path | None) -> Path:
    return state or api_address.state_folder()


def _can_be(name: str) -> bool:
    try:
        msgspec.convert(name, KeyName)
    except msgspec.ValidationError:
        return False
    return True


def _document(key: kept_keys.KeptKey) -> dict[str, object]:
    return {"name": key.name, "role": key.role, "created_at": key.created_at}
