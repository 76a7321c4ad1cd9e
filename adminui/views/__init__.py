"""One file per place of the web app."""
