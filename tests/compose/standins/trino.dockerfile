# Stands in for trinodb/trino where no registry can be reached: Trino's server and a JDK on Debian, as the official user.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 1000 trino && useradd --uid 1000 --gid 1000 --create-home trino
COPY server /usr/lib/trino
COPY jdk /usr/lib/jvm/trino
ENV JAVA_HOME=/usr/lib/jvm/trino LANG=C.UTF-8
USER trino:trino
