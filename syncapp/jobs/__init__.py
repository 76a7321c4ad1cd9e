"""What workers do (docs/architecture.md, "Rooms")."""
