# `fleet`: one image for all of the fleet's processes; docker-compose.yml says which runs what. `scraper`: the example.
FROM python:3.11-slim AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
RUN useradd --system --uid 10001 --create-home linernotes \
    && mkdir /data && chown linernotes:linernotes /data
COPY constraints.txt ./

FROM base AS scraper
COPY client client
RUN python -m pip install --no-cache-dir --disable-pip-version-check --only-binary :all: \
    --constraint constraints.txt './client[scrapy]'
USER linernotes
CMD ["scrapy", "runspider", "client/examples/tracklists.py", "-O", "-:jsonlines"]

FROM base AS fleet
# Packages first: they change less often than our code. A stub of each package is enough to resolve them.
COPY pyproject.toml README.md LICENSE ./
RUN for name in bench cli enrichment models service simulator workers; do mkdir "$name" && touch "$name/__init__.py"; done \
    && python -m pip install --no-cache-dir --disable-pip-version-check --only-binary :all: \
        --constraint constraints.txt --editable '.[otel]'

COPY alembic.ini celeryconfig.py ./
COPY alembic alembic
COPY bench bench
COPY cli cli
COPY enrichment enrichment
COPY models models
COPY service service
COPY simulator simulator
COPY workers workers

# PostgreSQL of the embedded fleet refuses to run as root, and nobody else has to.
USER linernotes
ENV LINERNOTES_DATA=/data
VOLUME /data

STOPSIGNAL SIGTERM
ENTRYPOINT []
CMD ["celery", "-A", "workers", "worker", "-Q", "fetch,critical,default,low_priority", "--without-gossip", "--without-mingle"]
