# The image, with what `pellucid import` and `pellucid install` need: onnx, safetensors; no torch.
# Build from the repository's root, after the image:
#   docker build -f docker/importer.Dockerfile -t pellucid:importer .

ARG BASE=python:3.11-slim-bookworm
ARG IMAGE=pellucid:latest

FROM ${BASE} AS build

# Date of every file, in seconds since 1970: the same commit gives the same layers.
ARG SOURCE_DATE_EPOCH=0
ENV PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 \
    PACKAGES=/image/opt/venv/lib/python3.11/site-packages

WORKDIR /build
COPY requirements-import.lock ./
RUN mkdir -p "$PACKAGES" \
    && python -m pip install --no-cache-dir --no-compile --no-deps --require-hashes \
        --only-binary=:all: --target "$PACKAGES" --requirement requirements-import.lock
COPY docker/prune.sh docker/prune-import.txt ./
COPY model /image/opt/venv/lib/python3.11/site-packages/model
COPY export /image/opt/venv/lib/python3.11/site-packages/export
RUN ./prune.sh "$PACKAGES" <prune-import.txt \
    && find /image -name '*.pyi' -delete \
    && python -m compileall -q --invalidation-mode unchecked-hash -s /image "$PACKAGES" \
    && find /image -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +


# hadolint ignore=DL3006 # the image that was built before
FROM ${IMAGE}

COPY --from=build /image /

CMD ["import", "--help"]
