#!/bin/sh
# Runs a command that must not outlive its owner: tether.sh COMMAND [ARGUMENT]...
#
# The owner holds the other end of file descriptor 3. It closes when the owner ends, also by SIGKILL, and the watcher
# ends the command. The command takes over this process, so that its id, its signals and its exit code are its own.
(read -r _ <&3; kill -9 $$) >/dev/null 2>&1 &
exec "$@" 3<&-
