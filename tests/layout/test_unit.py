"""What an installation is run by: the systemd unit and the Containerfile say what the code means."""

import re
import shutil
import subprocess
from pathlib import Path

from runward.config import places, where

from .sources import CHECKOUT

UNIT = (CHECKOUT / "config" / "runward.service").read_text()
CONTAINER = (CHECKOUT / "Containerfile").read_text()


def settings(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z]+)=(.*)$", text, re.MULTILINE))


def test_the_unit_gives_the_runs_their_ladder_and_takes_no_wall_away() -> None:
    said = settings(UNIT)
    assert said["Delegate"] == "yes"
    assert said["KillMode"] == "mixed"
    assert said["RestartPreventExitStatus"] == "78"
    assert "-USR2" in said["ExecReload"]
    taking = {"RestrictNamespaces", "PrivateUsers", "ProtectControlGroups", "ProtectKernelTunables"}
    assert not taking & set(said)


def test_systemd_understands_every_line_of_it(tmp_path: Path) -> None:
    """Where there is one; the test above is for everywhere."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    unit = tmp_path / "runward.service"
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT, flags=re.MULTILINE))
    done = subprocess.run(
        [analyze, "verify", str(unit)], capture_output=True, text=True, timeout=30, check=False
    )
    told = [line for line in done.stderr.splitlines() if "runward.service" in line]
    assert told == []


def test_the_container_starts_what_the_command_line_has() -> None:
    command = re.findall(r'"([^"]+)"', CONTAINER.partition('CMD ["serve"')[2])
    options = re.findall(r"--[a-z]+", " ".join(command))
    serve = (CHECKOUT / "bin" / "serve.py").read_text()
    assert options == ["--host"]
    for option in options:
        assert re.search(rf"^    {option[2:]}: ", serve, re.MULTILINE), option


def test_server_and_commands_in_the_container_mean_its_volume_and_its_file() -> None:
    [told] = re.findall(r"^ENV (.+)$", CONTAINER, re.MULTILINE)
    environ = dict(each.split("=") for each in told.split())
    assert re.findall(r"^VOLUME (\S+)$", CONTAINER, re.MULTILINE) == [str(where.state_dir(environ))]
    found = places.find_file(None, environ)
    assert found is not None
    assert f"touch {found[0]}" in CONTAINER
