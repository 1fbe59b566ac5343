"""A registry of one image, whose layers come when the test lets them."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import image


class HeldRegistry:
    def __init__(self, picture):
        self.asked, self.gate = threading.Event(), threading.Event()
        registry, layers = self, set(picture.blobs)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                word = self.path.rsplit("/", 1)[1]
                if "/manifests/" in self.path:
                    return self.give(picture.manifest, image.MANIFEST)
                if word in layers:
                    registry.asked.set()
                    registry.gate.wait()
                    return self.give(picture.blobs[word], "application/octet-stream")
                return self.give(b"{}", "application/json")

            def give(self, body, kind):
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                    self.send_header("Docker-Content-Digest", image.digest(body))
                    self.end_headers()
                    if self.command == "GET":
                        self.wfile.write(body)
                except OSError:
                    # Who asked has gone.
                    self.close_connection = True

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.image = f"127.0.0.1:{self.server.server_port}/held/app:1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
