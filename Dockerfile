# The image of vodrm. Build and run it:
#
#     docker build -t vodrm .
#     docker run --read-only --cap-drop ALL --security-opt no-new-privileges \
#       -p 8080:8080 -v vodrm-data:/data \
#       -v "$PWD/vodrm.toml:/config/default.toml:ro" \
#       -e ALIBABA_CLOUD_ACCESS_KEY_ID -e ALIBABA_CLOUD_ACCESS_KEY_SECRET vodrm
#
# vodrm.toml has the accounts and at least one caller (`docker run --rm vodrm key new
# cms` makes one): beyond loopback the service does not start without. It is mounted
# at this place and not named with --config, so that `vodrm health`, which is run
# beside the service, reads the same settings. Try them with
# `docker run --rm … vodrm check`.
#
# Where no container engine is at hand, docker/without-engine runs these steps.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin vodrm

# The same Debian as above: the binary is linked to its libc.
FROM debian:bookworm-slim
# Roots for TLS to the vendors; vodrm carries none of its own.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
# The journal; a number instead of a name, so that an orchestrator can see that it is not root.
RUN install -d -o 10001 -g 10001 -m 0750 /data
COPY --from=build /src/target/release/vodrm /usr/local/bin/vodrm
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/vodrm/
LABEL org.opencontainers.image.title="vodrm" \
      org.opencontainers.image.description="One normalized delete API over video clouds" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
ENV VODRM__STORE__URL=sqlite:///data/vodrm.db \
    VODRM__SERVER__LISTEN=0.0.0.0:8080
USER 10001:10001
WORKDIR /
VOLUME ["/data"]
EXPOSE 8080
# Ends in order: /readyz says no, what is under way is finished. Give it 30 s.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["vodrm", "health"]
ENTRYPOINT ["vodrm"]
CMD ["serve"]
