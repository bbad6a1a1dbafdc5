"""Leaves files of several kinds in its work folder."""

import json
import os

from runward.actors.run import Run


def keep(_: str, run: Run) -> None:
    """Some plain files, one with a name that is no text, and a link that leads out."""
    os.chdir(run.work_folder)
    os.mkdir("sub")
    for name, text in (
        (b"page.html", b"<script>alert()</script>"),
        (b"sub/odd \xff name", b"odd"),
        (b"zeros", bytes(300_000)),
    ):
        with open(name, "wb") as file:
            file.write(text)
    os.symlink("/etc/passwd", "link")


def leave(text: str, run: Run) -> None:
    """One small file for each of these names, a JSON list."""
    for name in json.loads(text):
        with open(os.path.join(run.work_folder, name), "w") as file:
            file.write(f"this is {name}")
