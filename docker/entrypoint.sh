#!/bin/sh
# Without a command it runs the worker; otherwise the command of live-migration-prep, such as `start`.
case "${1-}" in
  '' | --config | --config=*) exec node /app/dist/worker.js "$@" ;;
  *) exec node /app/dist/client.js "$@" ;;
esac
