# Built with everything, run with what it needs: the second image holds the package that `npm pack` makes, with the dependencies
# of package-lock.json. It has no compiler, no tests and no sources.
FROM node:24-bookworm-slim AS build
WORKDIR /build
# The dependencies first: they change less often than the sources, and their layer is kept until they do.
# No dependency needs its install script, so none gets to run one.
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY schemas ./schemas
COPY plugins ./plugins
COPY src ./src
COPY README.md LICENSE CHANGELOG.md ./
# `prepack` builds it.
RUN npm pack && tar -xzf grantd-*.tgz && chmod +x package/dist/src/cli.js

FROM node:24-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3333
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force
COPY --from=build /build/package ./
RUN ln -s /app/dist/src/cli.js /usr/local/bin/grantd
# What the service runs from belongs to root: it can read itself, not change itself.
USER node
EXPOSE 3333
# Readiness (/readyz) is for what routes traffic. Here it would have a Redis outage restart every instance.
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Drain, answer what is under way, leave: src/stop.ts.
STOPSIGNAL SIGTERM
# node itself as process 1, neither npm nor a shell: they would keep the signal to themselves. Operator commands beside it are
# `grantd keys list` and the like.
CMD ["node", "dist/src/cli.js", "serve"]
