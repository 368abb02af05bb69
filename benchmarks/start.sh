#!/bin/sh
# start.sh DIR: the server that setup.sh made in DIR, in the foreground.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
export PYTHONPATH="$here/.."
ulimit -n 20000
cd "$1"
exec "${MAILHUB_BIN:-$here/../venv/bin}/twistd" -n --pidfile= \
    mailhub --config "$1/mailhub.toml"
