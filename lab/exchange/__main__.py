"""Serve the lab Exchange: ``python -m lab.exchange --data FILE [--port PORT]``."""

from lab.exchange.app import create_app
from lab.process import run

if __name__ == "__main__":
    run(create_app, "The lab Exchange: Exchange Web Services on 127.0.0.1, kept in one SQLite file.")
