#!/usr/bin/env bash
# A private Docker engine for the tests, where the machine has none: up, base, down.
#
#   engine.sh up     starts dockerd with all its data below $ENGINE_DIR, prints its DOCKER_HOST
#   engine.sh base   makes the images that the tests build on, without a registry
#   engine.sh down   stops the engine that `up` started, by its recorded pid
#
# Exit code 3: no engine can be started here, the reason is on stderr.
set -euo pipefail

ENGINE_DIR=${ENGINE_DIR:-/var/tmp/pellucid-engine}
SOCKET=unix://$ENGINE_DIR/docker.sock
BASE_IMAGE=python:3.11-slim-bookworm
PROMETHEUS_IMAGE=prom/prometheus:v3.5.0
HAPROXY_IMAGE=haproxy:2.6

cannot() { echo "no Docker engine: $*" >&2; exit 3; }

engine_answers() { DOCKER_HOST=$SOCKET docker version >/dev/null 2>&1; }

up() {
    [ "$(uname -s)" = Linux ] || cannot "a private one needs Linux"
    [ "$(id -u)" = 0 ] || cannot "a private one needs root"
    for tool in docker dockerd iptables mmdebstrap; do
        command -v "$tool" >/dev/null || cannot "$tool is not installed"
    done
    mkdir -p "$ENGINE_DIR"
    if ! engine_answers; then
        start_daemon
    fi
    echo "$SOCKET"
}

start_daemon() {
    rm -f "$ENGINE_DIR/docker.pid"
    setsid dockerd --data-root "$ENGINE_DIR/data" --exec-root "$ENGINE_DIR/exec" \
        --pidfile "$ENGINE_DIR/docker.pid" --host "$SOCKET" --storage-driver overlay2 \
        --bip 10.200.0.1/24 --default-address-pool base=10.201.0.0/16,size=24 \
        >"$ENGINE_DIR/dockerd.log" 2>&1 </dev/null &
    local daemon=$!
    for _ in $(seq 60); do
        if engine_answers; then return; fi
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.5
    done
    tail -n 5 "$ENGINE_DIR/dockerd.log" >&2
    down
    cannot "dockerd did not come up"
}

# Debian's Python under the official tag: it proves the Dockerfile, not the upstream image.
# shellcheck disable=SC2016  # mmdebstrap's own shell expands $1
make_base() {
    local tarball=$ENGINE_DIR/base.tar
    if [ ! -f "$tarball" ]; then
        mmdebstrap --quiet --variant=apt \
            --include=python3-minimal,python3-venv,python3-pip,ca-certificates \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
            --dpkgopt='path-exclude=/usr/share/locale/*' \
            --customize-hook='rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED' \
            --customize-hook='cd "$1/usr/local/bin" && for n in python python3; do ln -s /usr/bin/python3 $n; done' \
            --customize-hook='ln -s /usr/bin/pip3 "$1/usr/local/bin/pip"' \
            --customize-hook='cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"' \
            --format=tar bookworm "$tarball.part"
        mv "$tarball.part" "$tarball"
    fi
    docker import \
        --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
        --change 'ENV LANG=C.UTF-8' --change 'CMD ["python3"]' "$tarball" "$BASE_IMAGE" >/dev/null
}

# Debian's Prometheus, laid out as the upstream image lays it out.
make_prometheus() {
    local context
    context=$(mktemp -d)
    cp /usr/bin/prometheus /usr/bin/promtool "$context"
    cat >"$context/Dockerfile" <<DOCKERFILE
FROM $BASE_IMAGE
COPY prometheus promtool /usr/bin/
RUN mkdir /prometheus && chown 65534:65534 /prometheus
USER 65534
WORKDIR /prometheus
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
DOCKERFILE
    docker build --quiet --tag "$PROMETHEUS_IMAGE" "$context" >/dev/null
    rm -r "$context"
}

# Debian's haproxy, laid out as the upstream image lays it out.
make_haproxy() {
    local context
    context=$(mktemp -d)
    cat >"$context/Dockerfile" <<DOCKERFILE
FROM $BASE_IMAGE
RUN apt-get update -qq && apt-get install -qq --no-install-recommends haproxy >/dev/null
USER haproxy
STOPSIGNAL SIGUSR1
CMD ["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
DOCKERFILE
    docker build --quiet --tag "$HAPROXY_IMAGE" "$context" >/dev/null
    rm -r "$context"
}

missing() { ! docker image inspect "$1" >/dev/null 2>&1; }

base() {
    if missing "$BASE_IMAGE"; then make_base; fi
    if missing "$PROMETHEUS_IMAGE"; then make_prometheus; fi
    if missing "$HAPROXY_IMAGE"; then make_haproxy; fi
}

down() {
    local pidfile=$ENGINE_DIR/docker.pid pid
    [ -f "$pidfile" ] || return 0
    pid=$(cat "$pidfile")
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 60); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.5
    done
    echo "dockerd ($pid) did not stop within 30 s" >&2
    return 1
}

case ${1:-} in
    up) up ;;
    base) base ;;
    down) down ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
