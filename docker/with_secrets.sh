#!/bin/sh
# Run a command with some of the stack's secrets in its environment, and in nobody's argument list:
#   with_secrets.sh NAME... -- COMMAND...
set -eu
folder=${LAKEHOUSE_BI_DIR:-/bi}

# No other program is needed, so that this works in every image.
value_of() {
  for file in "$folder/credentials.env" "$folder/secrets.env"; do
    while IFS= read -r line; do
      if [ "${line%%=*}" = "$1" ]; then
        printf '%s' "${line#*=}"
        return
      fi
    done <"$file"
  done
}

while [ "$#" -gt 0 ] && [ "$1" != -- ]; do
  value=$(value_of "$1")
  if [ -z "$value" ]; then
    echo "error: $1 is not in $folder: run 'docker compose up prepare'" >&2
    exit 1
  fi
  export "$1=$value"
  shift
done
shift
exec "$@"
