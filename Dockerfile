# Paperboy in a container: see compose.yaml for the flags that it is meant to run with.
# The base is pinned by its tag: pin the digest too where you build for others
# (docker buildx imagetools inspect python:3.13-slim tells it).
FROM python:3.13-slim AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN ["python", "-m", "venv", "/opt/paperboy"]
COPY requirements/run.txt requirements/
RUN ["/opt/paperboy/bin/pip", "install", "--require-hashes", "-r", "requirements/run.txt"]
COPY pyproject.toml README.md LICENSE ./
COPY bot/ bot/
COPY adapters/ adapters/
COPY config/ config/
RUN ["/opt/paperboy/bin/pip", "wheel", "--no-deps", "--no-build-isolation", "-w", "/dist", "."]
RUN /opt/paperboy/bin/pip install --no-deps --no-index /dist/*.whl
# what only built the wheel
RUN ["/opt/paperboy/bin/pip", "uninstall", "-y", "hatchling", "editables", "pip"]


FROM python:3.13-slim

COPY --from=build /opt/paperboy /opt/paperboy
# a new volume takes owner and mode from here
RUN ["install", "-d", "-m", "0700", "-o", "10001", "-g", "10001", "/data"]
ENV PATH=/opt/paperboy/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    PAPERBOY_DATA_DIR=/data PAPERBOY_WEB__HOST=0.0.0.0 PAPERBOY_SLACK__HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=2 \
  CMD ["python", "-c", "import http.client as h, os, sys; c = h.HTTPConnection('127.0.0.1', int(os.environ.get('PAPERBOY_WEB__PORT') or 8080), timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["paperboy"]
CMD ["run"]
