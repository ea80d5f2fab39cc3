# Four images: `pipeline` (the lakehouse's commands, its pages and the scheduler), `superset`, and the official `trino` and `postgres`
# with what the stack adds to them. How they run together: docker-compose.yml.
# The tags are not digests, so that the bases get their security updates; pin one with --build-arg BASE=debian@sha256:...
ARG BASE=debian:bookworm-slim
ARG TRINO=trinodb/trino:476
ARG POSTGRES=postgres:15-bookworm

FROM ${BASE} AS python
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/*
# The user of every container of the stack, the official Trino image's: all read what one of them wrote, in files of mode 0600.
RUN groupadd --gid 1000 lakehouse && useradd --uid 1000 --gid 1000 --create-home lakehouse
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

# What runs, readable by the containers' user whatever the umask of the clone was.
FROM python AS sources
WORKDIR /app
COPY . .
RUN chmod -R u=rwX,go=rX .

FROM python AS java
# Without its manual folder the JRE's installation fails in a slim image.
RUN mkdir -p /usr/share/man/man1 \
    && apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/*

FROM java AS pipeline-packages
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
# Certificates of a network that opens TLS: `docker build --secret id=certificates,src=FILE.pem`. Nothing happens without.
COPY docker/trust_certificates.sh /usr/local/bin/
RUN --mount=type=secret,id=certificates trust_certificates.sh /run/secrets/certificates
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY requirements-run.lock ./
COPY scripts/setup.py scripts/
RUN python3 scripts/setup.py --image

FROM java AS pipeline
WORKDIR /app
COPY --from=pipeline-packages /app/.venv .venv
COPY --from=pipeline-packages /app/.jars .jars
COPY --from=sources /app .
# The command `lakehouse`; packages and build backend are there already.
RUN .venv/bin/python -m pip install --quiet --no-cache-dir --no-deps --no-build-isolation --editable . \
    && .venv/bin/python -m compileall -q -x '/\.venv/' .
# A new volume takes over owner and mode of the folder it is mounted on.
RUN install -d -o lakehouse -g lakehouse -m 0700 /bi /inbox /lakehouse /scratch /state \
    && install -d /landing
ENV PATH=/app/.venv/bin:${PATH} \
    LAKEHOUSE_LANDING=/landing \
    LAKEHOUSE_DIR=/lakehouse/own \
    LAKEHOUSE_INBOX=/inbox \
    LAKEHOUSE_STATE_DIR=/state \
    LAKEHOUSE_BI_DIR=/bi \
    SPARK_LOCAL_IP=127.0.0.1 \
    SPARK_LOCAL_DIRS=/scratch \
    TMPDIR=/scratch
USER 1000:1000
# Only the scheduler beats; a single command (`docker compose run`) ends before anyone asks.
HEALTHCHECK --interval=60s --timeout=10s --start-period=60s --retries=3 \
    CMD ["sh", "-c", "test -n \"$(find /scratch/heartbeat -mmin -1)\""]
CMD ["python", "scheduler.py", "--heartbeat", "/scratch/heartbeat"]

FROM python AS superset-packages
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
COPY docker/trust_certificates.sh /usr/local/bin/
RUN --mount=type=secret,id=certificates trust_certificates.sh /run/secrets/certificates
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY superset/requirements.lock superset/
RUN python3 -m venv .venv && .venv/bin/python -m pip install --require-hashes -r superset/requirements.lock

FROM python AS superset
WORKDIR /app
COPY --from=superset-packages /app/.venv .venv
COPY --from=sources /app/docker docker
COPY --from=sources /app/superset superset
RUN install -d -o lakehouse -g lakehouse -m 0700 /bi /superset
ENV PATH=/app/.venv/bin:${PATH} \
    FLASK_APP=superset \
    SUPERSET_CONFIG_PATH=/app/superset/superset_config.py \
    SUPERSET_HOME=/superset \
    HOME=/superset
USER 1000:1000
HEALTHCHECK --interval=15s --timeout=10s --start-period=120s --retries=5 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8088/health', timeout=5)"]
CMD ["sh", "docker/superset.sh", "serve"]

FROM ${TRINO} AS trino
COPY --chmod=0755 docker/with_secrets.sh docker/trino.sh /usr/local/lib/listening/

FROM ${POSTGRES} AS postgres
COPY --chmod=0755 docker/with_secrets.sh /usr/local/lib/listening/
COPY --chmod=0644 postgres/init.sql /docker-entrypoint-initdb.d/
