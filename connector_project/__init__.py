"""Settings, URLs, logging: wiring, nothing else (docs/architecture.md, "Rooms")."""
