# One image for all of the fleet's processes; docker-compose.yml says which runs what.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app

# Packages first: they change less often than our code. A stub of each package is enough to resolve them.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN for name in cli enrichment models workers simulator; do mkdir "$name" && touch "$name/__init__.py"; done \
    && python -m pip install --no-cache-dir --disable-pip-version-check --only-binary :all: \
        --constraint constraints.txt --editable .

COPY alembic.ini celeryconfig.py ./
COPY alembic alembic
COPY cli cli
COPY enrichment enrichment
COPY models models
COPY simulator simulator
COPY workers workers

# PostgreSQL of the embedded fleet refuses to run as root, and nobody else has to.
RUN useradd --system --uid 10001 --create-home linernotes \
    && mkdir /data && chown linernotes:linernotes /data
USER linernotes
ENV LINERNOTES_DATA=/data
VOLUME /data

STOPSIGNAL SIGTERM
ENTRYPOINT []
CMD ["celery", "-A", "workers", "worker", "-Q", "fetch,critical,default,low_priority", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
