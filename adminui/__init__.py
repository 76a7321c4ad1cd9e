"""The web app: what admins see of the connector and do with it. Reads models, moves due times, enqueues jobs."""
