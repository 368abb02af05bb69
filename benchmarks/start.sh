#!/bin/sh
# start.sh DIR: the server that setup.sh made in DIR, in the foreground.
#
# MAILHUB_WORKERS is the number of its worker processes, 1 unless it is said;
# MAILHUB_BIN the folder of python and twistd.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
export PYTHONPATH="$here/.."
ulimit -n 20000 2>/dev/null || ulimit -n "$(ulimit -Hn)"
cd "$1"
exec "${MAILHUB_BIN:-$here/../venv/bin}/twistd" -n --pidfile= \
    mailhub --config "$1/mailhub.toml" ${MAILHUB_WORKERS:+--workers "$MAILHUB_WORKERS"}
