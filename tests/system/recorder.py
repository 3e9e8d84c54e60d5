"""Stands between the command line and the service, and shows the contract what they say to each other."""
import http.client
import http.server
import socket
import struct
import threading

import watch

#: Of an answer; what is larger goes through without being looked at.
MOST_KEPT = 8 << 20
OWN = ("connection", "transfer-encoding", "content-length", "host", "expect", "keep-alive")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 300

    def log_message(self, *_):
        pass

    def cut(self):
        """As a service that died does it."""
        self.close_connection = True
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def pass_on(self):
        length = int(self.headers.get("Content-Length") or 0)
        try:
            body = self.rfile.read(length) if length else b""
            upstream = http.client.HTTPConnection(*self.server.upstream, timeout=600)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in OWN}
            upstream.request(self.command, self.path, body=body if length else None, headers=headers)
            answer = upstream.getresponse()
        except (OSError, http.client.HTTPException):
            return self.cut()
        try:
            self.relay(answer, body)
        except (OSError, http.client.HTTPException):
            self.cut()
        finally:
            upstream.close()

    def relay(self, answer, body):
        chunked = answer.getheader("Transfer-Encoding") == "chunked"
        bodiless = self.command == "HEAD" or answer.status in (204, 304)
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        if chunked and not bodiless:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        kept, size = [], 0
        while not bodiless and (piece := answer.read1(1 << 16)):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            size += len(piece)
            if size <= MOST_KEPT:
                kept.append(piece)
        if not bodiless and answer.length not in (None, 0):
            raise http.client.IncompleteRead(b"")
        # Before its end is told, so that nothing is checked behind the end of the test.
        watch.contract.check(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body, answer.status,
                             {k.lower(): v for k, v in answer.getheaders()}, b"".join(kept) if size <= MOST_KEPT else None)
        if chunked and not bodiless:
            self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on


class Recorder(http.server.ThreadingHTTPServer):
    """One for each service; its address stays while the service comes and goes."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = None
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a client that went away

    def end(self):
        self.shutdown()
        self.server_close()
