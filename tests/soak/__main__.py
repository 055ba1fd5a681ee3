"""All long forms, one after the other: python -m tests.soak."""

from __future__ import annotations

import subprocess
import sys

FORMS = (
    ("tests.soak.mutations", "--count", "20000"),
    ("tests.soak.settings_kill", "--kills", "1000"),
    ("tests.soak.delivery_kill", "--kills", "1000", "--messages", "20000"),
    ("tests.soak.delivery_kill", "--failpoints"),
    ("tests.soak.zones",),
    ("tests.soak.year",),
    ("tests.soak.crowd", "--channels", "10000"),
)


def main() -> None:
    failed = [
        form[0]
        for form in FORMS
        if subprocess.run([sys.executable, "-m", *form], check=False).returncode
    ]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
