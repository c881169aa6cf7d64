"""An authorization backend as a site has one, with a switch for each token."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Backend:
    """
    Asked by `on_play` at `auth`; its answers hold for a second.

        GET /permit?token=T    that token is good from now on
        GET /refuse?token=T    it is not any more
        GET /auth?token=T      200 or 403
    """

    def __init__(self) -> None:
        good: set[str] = set()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                token = parse_qs(url.query)["token"][0]
                if url.path == "/permit":
                    good.add(token)
                elif url.path == "/refuse":
                    good.discard(token)
                self.send_response(403 if url.path == "/auth" and token not in good else 200)
                self.send_header("X-AuthDuration", "1")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.auth = f"{self.url}/auth"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
