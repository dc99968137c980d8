#!/usr/bin/env bash
# Runs the checks of deploy/ and of Temporal's UI in a browser. They need programs that npm does not bring: this names
# what is missing and ends with 3. With --install it only installs what Debian has, as root.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()
command -v promtool >/dev/null || packages+=(prometheus)
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || packages+=(chromium)
if [ "${1-}" = --install ]; then
  [ ${#packages[@]} = 0 ] && exit
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive exec apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi
if [ ${#packages[@]} -gt 0 ]; then
  echo "check:deploy cannot run: install Debian's packages ${packages[*]}" >&2
  exit 3
fi
node dev/setup/index.mjs kubernetes-validate kubectl
TEST_FOLDER=deploy exec node node_modules/jest/bin/jest.js "$@"
