# contracts in an image: docker run --rm --volume "$PWD:/models:ro" model-contracts check /models/model.gguf
FROM python:3.13-slim AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY contracts contracts
COPY invariants invariants
COPY schemas schemas
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
# Of Git what --changed-since asks for; nothing else is added to the image that Python comes in.
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*
COPY --from=wheel /wheels /wheels
RUN python -m pip install --no-cache-dir --only-binary :all: /wheels/*.whl && rm -rf /wheels
RUN useradd --create-home --uid 10001 contracts
USER contracts
WORKDIR /models
ENTRYPOINT ["contracts"]
CMD ["--help"]
