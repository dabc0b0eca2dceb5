# Images of one house: `receiver` (never holds mlflow), `worker` (also beat and migrate), `mlflow` (the server), and
# `flower` (which looks at Celery's tasks).
# What is installed is pinned with hashes in requirements/*.txt (`make requirements`); only wheels, so no compiler.

FROM python:3.12.13-slim-bookworm AS base
ENV PATH=/opt/venv/bin:$PATH

FROM base AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_ONLY_BINARY=:all:
WORKDIR /build
# No pip inside: the base image's installs into it, with bytecode (without, MLflow needs 90 s to start instead of 6).
RUN python -m venv --without-pip /opt/venv

FROM build AS wheel
COPY requirements/wheel.txt requirements/
RUN /usr/local/bin/pip install --require-hashes --requirement requirements/wheel.txt
COPY pyproject.toml README.md LICENSE ./
COPY registrar registrar
COPY webhooks webhooks
COPY worker worker
RUN /usr/local/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheels .

FROM build AS receiver-build
COPY requirements/receiver.txt requirements/
RUN /usr/local/bin/pip --python /opt/venv/bin/python install --require-hashes --requirement requirements/receiver.txt
COPY --from=wheel /wheels /wheels
RUN /usr/local/bin/pip --python /opt/venv/bin/python install --no-deps --no-index /wheels/*.whl

FROM build AS worker-build
COPY requirements/worker.txt requirements/
RUN /usr/local/bin/pip --python /opt/venv/bin/python install --require-hashes --requirement requirements/worker.txt
COPY --from=wheel /wheels /wheels
RUN /usr/local/bin/pip --python /opt/venv/bin/python install --no-deps --no-index /wheels/*.whl

FROM build AS mlflow-build
COPY requirements/mlflow-server.txt requirements/
RUN /usr/local/bin/pip --python /opt/venv/bin/python install --require-hashes --requirement requirements/mlflow-server.txt

FROM build AS flower-build
COPY requirements/flower.txt requirements/
RUN /usr/local/bin/pip --python /opt/venv/bin/python install --require-hashes --requirement requirements/flower.txt

# What runs: no pip, no compiler, nobody's shell. The root file system may be read-only; /tmp and the volumes are not.
FROM base AS runtime
RUN PIP_ROOT_USER_ACTION=ignore python -m pip uninstall --yes pip \
    && groupadd --gid 10001 registrar \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin registrar
# MALLOC_ARENA_MAX: glibc gives each thread a heap of its own; two for all are as fast here and keep the processes small.
ENV HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_ARENA_MAX=2
WORKDIR /

FROM runtime AS receiver
COPY --from=receiver-build /opt/venv /opt/venv
USER 10001:10001
EXPOSE 8080
CMD ["python", "-m", "webhooks.serve", "--host", "0.0.0.0", "--port", "8080"]

FROM runtime AS worker
# A new named volume takes its owner from here.
RUN install --directory --owner=10001 --group=10001 /var/lib/registrar/artifacts
COPY --from=worker-build /opt/venv /opt/venv
USER 10001:10001
CMD ["python", "-m", "worker", "run"]

FROM runtime AS mlflow
RUN install --directory --owner=10001 --group=10001 /var/lib/mlflow /var/lib/mlflow/artifacts /var/lib/mlflow/tmp
COPY --from=mlflow-build /opt/venv /opt/venv
USER 10001:10001
EXPOSE 5000
CMD ["python", "-m", "mlflow", "server", "--host", "0.0.0.0", "--port", "5000"]

FROM runtime AS flower
COPY --from=flower-build /opt/venv /opt/venv
USER 10001:10001
EXPOSE 5555
CMD ["python", "-m", "celery", "flower", "--address=0.0.0.0", "--port=5555"]
