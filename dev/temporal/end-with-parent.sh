#!/bin/sh
# Runs a command that ends with the process that started it: end-with-parent.sh [ARGUMENT]... LOG-FILE COMMAND
#
# A killed process cannot stop its children, so a watcher looks every five seconds whether it still lives. The
# command comes last because the SDK puts its own arguments first. It keeps this process id, so that signals
# and exit code are its own.
owner=$PPID
(while kill -0 "$owner" && kill -0 $$; do sleep 5; done; kill -9 $$) >/dev/null 2>&1 &

left=$#
for argument; do
  shift
  left=$((left - 1))
  case $left in
    0) command=$argument ;;
    1) log=$argument ;;
    *) set -- "$@" "$argument" ;;
  esac
done
exec "$command" "$@" >>"$log" 2>&1
