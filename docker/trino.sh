#!/bin/sh
# Trino's server in its container.
set -eu
data=/bi/trino/data
# The launcher's note of an earlier process is about another by now: numbers of processes repeat in a container.
rm -rf "$data/var/run"
exec /usr/lib/trino/bin/launcher run --etc-dir /bi/trino/etc --data-dir "$data"
