"""What has to be in the environment before Prefect is imported."""

import os
from pathlib import Path

QUIET = {
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_API_HOST": "127.0.0.1",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # its 20 s are too few on a busy machine
    "DVC_NO_ANALYTICS": "1",
}


def set_environment(root: Path) -> None:
    """Telemetry off, servers on 127.0.0.1, Prefect's database in `.local/prefect`; what the user has set stays."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    home = root.resolve() / ".local" / "prefect"
    if os.environ.setdefault("PREFECT_HOME", str(home)) == str(home):
        home.mkdir(parents=True, exist_ok=True)  # Prefect makes the last folder of the path alone
