#!/usr/bin/env bash
# Runs a command several times on a busy machine, and prints whether each run passed and how long it took:
#   dev/load.sh 20 npm test -- test/workflow/endings
# The load is an endless `npm test` in one clone of this repository and an endless `npm ci` in another.
set -euo pipefail
times=${1:?usage: dev/load.sh TIMES COMMAND...}
shift
repository=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)

loads=()
end_load() {
  for group in "${loads[@]}"; do kill -- "-$group" 2>/dev/null || true; done
  wait 2>/dev/null
  rm -rf "$folder"
}
trap end_load EXIT
# Each background job gets a process group, by which it is ended.
set -m
for load in test ci; do
  git clone -q "$repository" "$folder/$load"
  (cd "$folder/$load" && while true; do npm "$load" || true; done) >/dev/null 2>&1 &
  loads+=($!)
done

failures=0
for ((run = 1; run <= times; run++)); do
  started=$SECONDS
  result=pass
  "$@" >"$folder/output" 2>&1 || result=FAIL
  printf '%3d  %s  %4d s\n' "$run" "$result" $((SECONDS - started))
  if [ "$result" = FAIL ]; then
    failures=$((failures + 1))
    cat "$folder/output" >&2
  fi
done
echo "$failures of $times runs failed"
[ "$failures" = 0 ]
