# Not in a variable, since Dependabot does not update one (dependabot/dependabot-core#2057).
FROM node:24-trixie-slim AS base

FROM base AS source
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY dev dev
COPY src src
# In a clone that was made with umask 077, only the owner can read files.
RUN chmod --recursive a+rX *.json dev src

# What only development needs, such as the Atlas emulator.
FROM source AS dev
USER 1000:1000
CMD ["node", "--import", "tsx", "dev/atlas-emulator/cli.ts", "--host", "0.0.0.0", "--port", "8081"]

FROM source AS build
RUN npm run build && npm prune --omit=dev --ignore-scripts
# Temporal's native module: its sources and those of other platforms would be half of the image.
RUN cd node_modules/@temporalio/core-bridge \
    && rm -r sdk-core src ts \
    && find releases -mindepth 1 -maxdepth 1 \
        ! -name "$(node -p 'require("./common").getPrebuiltTargetName()')" -exec rm -r {} +
# Temporal's client trusts the system's certificates. The slim image has none; Node carries Mozilla's.
RUN node -p 'tls.rootCertificates.join("\n")' > ca-certificates.crt

FROM base
ARG VERSION=unreleased
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="live-migration-prep" \
    org.opencontainers.image.description="Creates MongoDB Atlas link-tokens and delivers them to a secret store, as a durable Temporal job" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}" \
    org.opencontainers.image.source="${SOURCE}" \
    org.opencontainers.image.url="${SOURCE}"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# A new volume takes over the owner of the folder it is mounted on.
RUN install --directory --owner=1000 --group=1000 --mode=0700 \
    /var/lib/live-migration-prep/keys /var/lib/live-migration-prep/tokens
COPY docker/entrypoint.sh /usr/local/bin/entrypoint.sh
COPY LICENSE README.md CHANGELOG.md ./
COPY schemas schemas
RUN chmod --recursive a+rX /usr/local/bin/entrypoint.sh .
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# By number, so that Kubernetes can see that it is not root.
USER 1000:1000
# No HEALTHCHECK: the port is a setting, and a client has none. Let the platform probe /livez and /readyz.
ENTRYPOINT ["entrypoint.sh"]
