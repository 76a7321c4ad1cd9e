# One image, three commands: deploy/compose.yaml says which. The lab and the tests stay outside (.dockerignore).
FROM python:3.11-slim AS build
WORKDIR /app
RUN pip install --no-cache-dir uv==0.13.9
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-cache --python /usr/local/bin/python

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home connector && mkdir -p /app/var && chown connector /app/var
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY . .
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER connector
VOLUME /app/var
EXPOSE 8000
CMD ["gunicorn", "--bind", "0.0.0.0:8000"]
