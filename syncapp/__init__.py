"""The connector's core: items, sides, engine, models and jobs (docs/architecture.md, "Rooms")."""
