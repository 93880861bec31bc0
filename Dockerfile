# The tool with a Valkey server beside it.
#
#   docker build --tag reclaim-bench .                                # compiles in an image of Rust's
#   cargo build --release --locked --package reclaim-bench &&
#   docker build --tag reclaim-bench --target prebuilt .              # takes the binary that is there
#
# BASE is an image with a shell, and either Debian's apt-get (release 13 or later) or a valkey-server: where no registry can be
# reached, .ci/build-image.sh makes one of Debian's packages alone. docs/install.md has more.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS servers
RUN command -v valkey-server >/dev/null || { \
        apt-get update && \
        apt-get install --yes --no-install-recommends valkey-server valkey-tools && \
        rm -rf /var/lib/apt/lists/*; \
    }
# Results go there, whoever the container runs as.
RUN mkdir -p -m 1777 /work
WORKDIR /work
ENTRYPOINT ["reclaim-bench"]
CMD ["run", "smoke"]

FROM servers AS prebuilt
COPY target/release/reclaim-bench /usr/bin/reclaim-bench

FROM rust:1-trixie AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --package reclaim-bench

FROM servers
COPY --from=build /source/target/release/reclaim-bench /usr/bin/reclaim-bench
