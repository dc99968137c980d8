ARG NODE_IMAGE=node:20.20.2-bookworm-slim

FROM ${NODE_IMAGE} AS source
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY dev dev
COPY src src

# What only development needs, such as the Atlas emulator.
FROM source AS dev
USER node
CMD ["node", "--import", "tsx", "dev/atlas-emulator/cli.ts", "--host", "0.0.0.0", "--port", "8081"]

FROM source AS build
RUN npm run build && npm prune --omit=dev --ignore-scripts
# Temporal's client trusts the system's certificates. The slim image has none; Node carries Mozilla's.
RUN node -p 'tls.rootCertificates.join("\n")' > ca-certificates.crt

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# A new volume takes over the owner of the folder it is mounted on.
RUN install --directory --owner=node --group=node --mode=0700 \
    /var/lib/live-migration-prep/keys /var/lib/live-migration-prep/tokens
USER node
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["node", "-e", "fetch('http://127.0.0.1:8080/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/worker.js"]
