"""An HTTP address that events are sent to."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .waiting import wait_until


class Listener:
    """Keeps what is posted to it. `status` is what it answers; while `shut`, it answers nothing at all."""

    def __init__(self):
        self.posts = []
        self.status = 200
        self.open = threading.Event()
        self.open.set()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = listener.status
                if not listener.open.is_set():
                    listener.open.wait()
                    status = 503
                if status == 200:
                    listener.posts.append((self.path, {name.lower(): value for name, value in self.headers.items()},
                                           json.loads(body)))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def events(self, path="/"):
        return [body for at, _, body in list(self.posts) if at == path]

    def wait(self, wanted, what, path="/"):
        """Waits for an event; the first that is wanted."""
        def there():
            return next((event for event in self.events(path) if wanted(event)), None)
        wait_until(there, what)
        return there()

    def close(self):
        self.open.set()
        self.server.shutdown()
        self.server.server_close()
