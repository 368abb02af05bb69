#!/bin/sh
# setup.sh DIR PORT USERS: a fresh server in DIR whose ports begin at PORT, with the
# accounts of the file USERS (lines of address:password).  Mail for relay.test goes on
# to PORT + 26.
#
# Everything is as people run it (SQLite, a flush before each answer, argon2id or
# scrypt for passwords); only the number of connections is raised.  MAILHUB_BIN is the
# folder of python and twistd.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=${MAILHUB_BIN:-$here/../venv/bin}
dir=$1
port=$2
users=$3
export PYTHONPATH="$here/.."

cat >"$dir/mailhub.toml" <<END
[server]
data = "$dir/data"
host_name = "mx.bench.test"

[listen]
smtp = ["127.0.0.1:$((port + 25))"]
imap = ["127.0.0.1:$((port + 43))"]
imaps = ["127.0.0.1:$((port + 93))"]
pop3 = ["127.0.0.1:$((port + 10))"]
pop3s = ["127.0.0.1:$((port + 95))"]
lmtp = []
submission = []
submissions = []
admin = ["127.0.0.1:$((port + 80))"]

[routing]
relay_domains = ["relay.test"]

[outbound]
routes = ["relay.test smtp://127.0.0.1:$((port + 26))"]

[login]
plaintext = "loopback"

[limits]
connections = 20_000
END

"$bin/python" -m mailhub.cli --config "$dir/mailhub.toml" \
    user add --from-file "$users"
