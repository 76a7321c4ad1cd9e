"""What gunicorn needs to know; it reads this file by itself when it is started here."""

wsgi_app = "connector_project.wsgi"
bind = "127.0.0.1:8000"
workers = 2
threads = 4
# Loaded once, before workers are forked: a wrong configuration ends gunicorn itself instead of worker after worker.
preload_app = True
control_socket_disable = True
