"""The demo's people and their data: planned once, written by ``lab.seed`` with other people's clients."""
