# The service, the workers and all commands, on CPUs. With PostgreSQL beside it: compose.yaml.
#
#   docker build --tag foxing .
#   docker run --rm foxing foxing --version
#   docker run --publish 127.0.0.1:8765:8765 --env FOXING_API_KEY=… --volume foxing:/data foxing

FROM python:3.12-slim-trixie AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/foxing
ENV PATH=/opt/foxing/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# torch without CUDA, which is some 200 MB in place of 5 GB
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --index-url "$TORCH_INDEX" "torch>=2.9"
WORKDIR /source
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY renderer renderer
COPY encoder encoder
COPY memory memory
COPY api api
COPY migrations migrations
COPY integrations integrations
COPY .src .src
COPY clients clients
RUN pip install ./clients/python ".[postgresql,otel,blobs]"

FROM python:3.12-slim-trixie
# pg_dump, pg_restore and psql, for `foxing db backup` and `foxing db restore`
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home foxing \
    && install --directory --owner foxing /data
COPY --from=build /opt/foxing /opt/foxing
# Without a database server, the SQLite file is /data/foxing/foxing.db. Another address than loopback needs an API key.
ENV PATH=/opt/foxing/bin:$PATH XDG_DATA_HOME=/data FOXING_HOST=0.0.0.0 FOXING_PORT=8765
USER foxing
WORKDIR /data
VOLUME /data
EXPOSE 8765
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['FOXING_PORT'] + '/healthz', timeout=4)"]
CMD ["foxing", "serve"]
