"""A lifecycle hook's endpoint."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hook:
    """An endpoint that remembers what it was told, and answers as the test wants."""

    def __init__(self):
        self.told, self.answer = [], {"hookStatus": "SUCCEEDED"}
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                hook.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                answer = json.dumps(hook.answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def stages(self):
        return [told["lifecycleStage"] for told in self.told]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
