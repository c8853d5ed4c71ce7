# `source flows/environment.sh` in the project folder: the same settings as flows/environment.py, for Prefect's own commands.
export HANDFUL_DIR="${HANDFUL_DIR:-$PWD}"
export PREFECT_HOME="${PREFECT_HOME:-$HANDFUL_DIR/.local/prefect}"
mkdir -p "$PREFECT_HOME"  # Prefect makes the last folder of the path alone
export PREFECT_API_URL="${PREFECT_API_URL:-http://127.0.0.1:4200/api}"
export PREFECT_SERVER_API_HOST="${PREFECT_SERVER_API_HOST:-127.0.0.1}"
export PREFECT_SERVER_ANALYTICS_ENABLED=false PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT=false
export PREFECT_RESULTS_PERSIST_BY_DEFAULT=false
export DO_NOT_TRACK=true DVC_NO_ANALYTICS=1
