#!/usr/bin/env bash
# Prints the bill of materials (CycloneDX) of a packed package, as npm installs it. Ends with 1 if it is not complete.
# In this repository `npm sbom --omit dev` leaves out what a development dependency needs, too (npm/cli#7909).
set -euo pipefail
package=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/installation"
cd "$folder/installation"
echo '{ "name": "installation", "version": "1.0.0" }' >package.json
npm install --ignore-scripts --no-audit --no-fund --silent "$package"
npm sbom --sbom-format cyclonedx --sbom-type application >package.cdx.json
grep --quiet '"purl": "pkg:npm/%40temporalio/worker@' package.cdx.json || {
  echo 'the bill of materials lacks @temporalio/worker' >&2
  exit 1
}
cat package.cdx.json
