# syntax=docker/dockerfile:1.14
# An image of one app: docker build --build-arg APP=gateway --tag gateway .

ARG NODE=24.21.0-bookworm-slim

FROM node:${NODE} AS build
WORKDIR /work
COPY . .
ARG APP
RUN --mount=type=cache,target=/root/.npm \
    test -n "${APP}" || { echo 'Say which app: --build-arg APP=gateway'; exit 1; }; \
    npm ci --no-audit --no-fund --ignore-scripts && npx tsc -b "apps/${APP}"
RUN --mount=type=cache,target=/root/.npm sh deploy/image.sh "${APP}" /image

FROM node:${NODE}
ARG NODE
ARG APP
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="holdfast/${APP}" \
      org.opencontainers.image.description="${APP} of a Holdfast mesh" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/library/node:${NODE}"
# As the first process: it hands signals on from its first instant. Node alone would drop a SIGTERM that comes while it loads the
# app, since the kernel has no default for the first process of a container, and serve on until it is killed.
RUN apt-get update && apt-get install --yes --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
COPY --from=build /image /app
# All that a process writes; the rest of the file system may be, and should be, read-only.
RUN install -d -o node -g node /data
WORKDIR /app
USER 1000:1000
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=3000 \
    GRPC_PORT=50051 \
    ADMIN_PORT=9090 \
    SNAPSHOT_DIR=/data/snapshots \
    DATABASE_URL=file:/data/data.db \
    VERSION=${VERSION}
EXPOSE 3000 50051 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=2 CMD ["node", "health.mjs"]
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["node", "main.mjs"]
