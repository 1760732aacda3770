"""A forward proxy that notes what goes through it: requests of http: as a
whole, of https: their tunnels alone. Any host name means this machine where
`hosts` says which port it has there."""
import base64
import http.client
import http.server
import socket
import threading
import urllib.parse


class Proxy(http.server.ThreadingHTTPServer):
    """`login`: "user:password" that it wants, or None."""

    daemon_threads = True

    def __init__(self, login=None, hosts=None):
        super().__init__(("127.0.0.1", 0), Request)
        self.login, self.hosts = login, hosts or {}
        self.log, self.replies = [], []  # also status and size
        # Called with method and URL; a status is the answer.
        self.before = lambda method, url: None
        self.rewrite = lambda url: url
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def host(self):
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self):
        return f"http://{self.host}"

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def bytes_of(self, method, part):
        """How much requests of that method sent to URLs with `part`."""
        return sum(size for verb, url, size in self.log
                   if verb == method and part in url)


class Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def is_known(self):
        if self.server.login is None:
            return True
        pair = base64.b64encode(self.server.login.encode()).decode()
        if self.headers.get("Proxy-Authorization") == f"Basic {pair}":
            return True
        self.send_response(407)
        self.send_header("Proxy-Authenticate", "Basic realm=lab")
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        return False

    def place_of(self, host, port):
        return "127.0.0.1", self.server.hosts.get(host, port)

    def do_CONNECT(self):
        self.server.log.append(("CONNECT", self.path, 0))
        if not self.is_known():
            return
        host, port = self.path.rsplit(":", 1)
        there = socket.create_connection(self.place_of(host, int(port)))
        self.send_response(200)
        self.end_headers()
        back = threading.Thread(target=pump, args=(there, self.connection),
                                daemon=True)
        back.start()
        pump(self.connection, there)
        back.join()
        self.close_connection = True

    def pass_on(self):
        if not self.is_known():
            return
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size) if size else None
        self.server.log.append((self.command, self.path, size))
        status = self.server.before(self.command, self.path)
        if status:
            return self.refuse(status)
        self.path = self.server.rewrite(self.path)
        url = urllib.parse.urlsplit(self.path)
        line = http.client.HTTPConnection(
            *self.place_of(url.hostname, url.port or 80))
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in ("proxy-authorization", "expect",
                                           "proxy-connection")}
        line.request(self.command, self.path.split(url.netloc, 1)[1], body,
                     headers)
        self.answer(line.getresponse())
        line.close()

    def refuse(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, reply):
        data = reply.read()
        self.server.replies.append((self.command, self.path, reply.status,
                                    len(data)))
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length",
                                    "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length",
                         reply.getheader("Content-Length") or str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_MKCOL = pass_on


def pump(source, sink):
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
