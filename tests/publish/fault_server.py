"""A server that misbehaves on request: it resets lines, stalls, lies.

It takes PUT, GET, HEAD and DELETE of any path, and as much of S3's multipart
uploads and of a registry's blobs as it takes to break them. Blocking sockets
with a small receive buffer, so that "half of the body" is about half.

`faults` is a list of Fault: the first one that matches and is not used up
plays. `log` has a Request for each request that came.
"""
import calendar
import hashlib
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from email.utils import formatdate

RECEIVE_BUFFER = 16 << 10
PIECE = 16 << 10


@dataclass
class Fault:
    """What to do to requests whose "METHOD target" matches `match`."""

    match: str
    times: int = 1 << 30
    after: int = 0  # so many matching requests go by unharmed
    status: int = 0
    headers: tuple = ()
    body: bytes = b""
    early: bool = False  # answers before the body is read, and closes
    no_continue: bool = False  # Expect is ignored
    # RST at this share of the body, in per cent; after an answer, if there is
    # a `status`
    reset: int = -1
    close: int = -1  # FIN; 100: all is read, and no reply comes
    stored: bool = False  # ... but what came was stored
    stall: tuple = ()  # (per cent, seconds): stops reading
    think: float = 0  # seconds before the reply
    # Ends a stall or a thought before its time.
    go_on: threading.Event = field(default_factory=threading.Event)
    damage: object = None  # bytes -> bytes to store, or None: nothing
    cut: int = 100  # the line closes after this share of the reply's body
    reply: str = ""  # short, junk, half-header, hang
    drip: int = 0  # bytes a second that are read, and of the reply sent

    def matches(self, line):
        if self.times <= 0 or not re.match(self.match, line):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


@dataclass
class Request:
    method: str
    target: str
    headers: dict
    when: float = field(default_factory=time.monotonic)
    received: int = 0
    status: int = 0
    ended: float = 0
    sent: int = 0  # bytes of the reply's body

    def __str__(self):
        return f"{self.method} {self.target} {self.status}"


class Gone(Exception):
    """The line is closed."""


NOTHING = Fault("")


class FaultServer:
    def __init__(self, faults=(), tls=None):
        self.faults, self.tls = list(faults), tls
        self.objects, self.digests, self.log = {}, {}, []
        self.uploads, self.lock = {}, threading.Lock()
        self.clock = 0  # seconds that it is ahead of ours
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                 RECEIVE_BUFFER)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=Line(self, line).serve,
                             daemon=True).start()

    def fault_for(self, line):
        with self.lock:
            return next((fault for fault in self.faults
                         if fault.matches(line)), NOTHING)

    def seen(self, match):
        """The requests whose "METHOD target status" matches."""
        return [request for request in self.log
                if re.match(match, str(request))]

    def names(self):
        return sorted(self.objects)


class Line:
    """One connection: requests one after the other."""

    def __init__(self, server, line):
        self.server, self.line, self.buffer = server, line, b""

    def serve(self):
        try:
            if self.server.tls:
                self.line = self.server.tls.wrap_socket(self.line,
                                                        server_side=True)
            while True:
                self.one_request()
        except (Gone, OSError, ValueError):
            pass
        finally:
            self.line.close()

    # -- Reading ------------------------------------------------------------

    def more(self):
        data = self.line.recv(PIECE)
        if not data:
            raise Gone
        self.buffer += data

    def read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, value in
                   (line.split(":", 1) for line in lines)}
        return Request(method, target, headers)

    def cut(self, reset):
        if reset:
            self.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
        self.line.close()
        raise Gone

    def read_body(self, request, fault, length):
        """All of it, unless the fault comes first."""
        parts, stalled = [], False
        while True:
            share = 100 * request.received // length if length else 100
            for limit, reset in ((fault.reset, True), (fault.close, False)):
                if 0 <= limit <= share and limit < 100:
                    if fault.status:
                        self.send(request, fault.status, fault.headers,
                                  fault.body)
                    self.cut(reset)
            if fault.stall and share >= fault.stall[0] and not stalled:
                stalled = True
                fault.go_on.wait(fault.stall[1])
            if request.received >= length:
                return b"".join(parts)
            if fault.drip:
                time.sleep(min(len(self.buffer) or PIECE, 1000) / fault.drip)
            if not self.buffer:
                self.more()
            some = self.buffer[:length - request.received]
            self.buffer = self.buffer[len(some):]
            request.received += len(some)
            parts.append(some)

    def one_request(self):
        request = self.read_head()
        self.server.log.append(request)
        fault = self.server.fault_for(f"{request.method} {request.target}")
        length = int(request.headers.get("content-length", 0))
        if fault.early:
            self.send(request, fault.status, fault.headers, fault.body)
            raise Gone
        if "expect" in request.headers and not fault.no_continue:
            self.line.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self.read_body(request, fault, length)
        if fault.think:
            fault.go_on.wait(fault.think)
        self.answer(request, fault, body)

    # -- Answering ----------------------------------------------------------

    def send(self, request, status, headers=(), body=b"", drip=0):
        request.status, request.ended = status, time.monotonic()
        date = formatdate(time.time() + self.server.clock, usegmt=True)
        lines = [f"HTTP/1.1 {status} Some", f"Date: {date}", *headers]
        if not any(line.lower().startswith("content-length")
                   for line in lines):
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        body = b"" if request.method == "HEAD" else body
        request.sent = len(body)
        for at in range(0, len(body) if drip else 0, max(drip // 4, 1)):
            self.line.sendall(head + body[at:at + max(drip // 4, 1)])
            head = b""
            time.sleep(0.25)
        if not drip:
            self.line.sendall(head + body)

    def answer(self, request, fault, body):
        if fault.status:
            return self.send(request, fault.status, fault.headers, fault.body)
        cut = 100 in (fault.reset, fault.close)
        if not cut or fault.stored:
            reply = self.act(request, fault, body)
        if fault.reply == "junk":
            self.line.sendall(b"220 mail.example.com ESMTP\r\n")
            raise Gone
        if fault.reply == "half-header":
            self.line.sendall(b"HTTP/1.1 201 Created\r\nContent-Le")
            raise Gone
        if cut:
            self.cut(fault.reset == 100)
        if fault.reply in ("short", "hang"):
            status, headers, data = reply
            self.send(request, status,
                      [*headers, f"Content-Length: {len(data) + 100}"], data)
            time.sleep(100 if fault.reply == "hang" else 0)
            raise Gone
        if fault.cut < 100:
            status, headers, data = reply
            self.send(request, status,
                      [*headers, f"Content-Length: {len(data)}"],
                      data[:len(data) * fault.cut // 100])
            raise Gone
        return self.send(request, *reply, drip=fault.drip)

    def is_skewed(self, request):
        """As S3 sees it: a signature of another quarter of an hour."""
        date = request.headers.get("x-amz-date")
        when = date and calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
        return date and abs(when - time.time() - self.server.clock) > 900

    def act(self, request, fault, body):
        path, _, query = request.target.partition("?")
        if self.is_skewed(request):
            return 403, (), (b"<Error><Code>RequestTimeTooSkewed</Code>"
                             b"<Message>It is late</Message></Error>")
        if "/blobs/uploads" in path or "uploadId" in query or \
                query in ("uploads", "uploads="):
            return self.act_in_parts(request, fault, path, query, body)
        with self.server.lock:
            if request.method == "PUT":
                return self.put(path, request, fault, body)
            if request.method == "DELETE":
                found = self.server.objects.pop(path, None)
                return (204 if found is not None else 404), (), b""
            if request.method in ("GET", "HEAD"):
                return self.get(path, request)
        return 405, (), b""

    def put(self, path, request, fault, body):
        if fault.damage:
            body = fault.damage(body)
        if body is not None:
            self.server.objects[path] = body
            self.server.digests[path] = request.headers.get(
                "x-amz-meta-sha256", "")
        return 201 if "x-amz-date" not in request.headers else 200, (), b""

    def get(self, path, request):
        data = self.server.objects.get(path)
        if data is None:
            return 404, (), b""
        headers = [f'ETag: "{hashlib.md5(data).hexdigest()}"']
        if self.server.digests.get(path):
            headers.append(f"x-amz-meta-sha256: {self.server.digests[path]}")
        wanted = re.match(r"bytes=(\d+)-(\d*)",
                          request.headers.get("range", ""))
        if wanted and request.method == "GET":
            begin, end = int(wanted[1]), int(wanted[2] or len(data) - 1) + 1
            headers.append(f"Content-Range: bytes {begin}-{end - 1}/"
                           f"{len(data)}")
            return 206, headers, data[begin:end]
        if request.method == "HEAD":
            headers.append(f"Content-Length: {len(data)}")
        return 200, headers, data

    # -- Uploads of several requests ----------------------------------------

    def act_in_parts(self, request, fault, path, query, body):
        with self.server.lock:
            if "/blobs/uploads" in path:
                return self.blob(request, path, query, body)
            if request.method == "POST" and query in ("uploads", "uploads="):
                name = f"upload-{len(self.server.uploads)}"
                self.server.uploads[name] = {}
                self.server.digests[path] = request.headers.get(
                    "x-amz-meta-sha256", "")
                return 200, (), (f"<R><UploadId>{name}</UploadId></R>"
                                 ).encode()
            name = re.search("uploadId=([^&]*)", query)[1]
            if name not in self.server.uploads:
                return 404, (), b"<Error><Code>NoSuchUpload</Code></Error>"
            return self.upload(request, path, query, name, body)

    def upload(self, request, path, query, name, body):
        parts = self.server.uploads[name]
        if request.method == "PUT":
            number = int(re.search(r"partNumber=(\d+)", query)[1])
            parts[number] = body
            return 200, [f'ETag: "{hashlib.md5(body).hexdigest()}"'], b""
        if request.method == "GET":
            return 200, (), ("<R>" + "".join(
                f"<Part><PartNumber>{number}</PartNumber><ETag>"
                f"{hashlib.md5(data).hexdigest()}</ETag>"
                f"<Size>{len(data)}</Size></Part>"
                for number, data in sorted(parts.items())) + "</R>").encode()
        del self.server.uploads[name]
        if request.method == "DELETE":
            return 204, (), b""
        self.server.objects[path] = b"".join(
            data for _, data in sorted(parts.items()))
        return 200, (), b"<CompleteMultipartUploadResult/>"

    def blob(self, request, path, query, body):
        if request.method == "POST":
            return 202, [f"Location: {path}1"], b""
        if request.method == "DELETE":
            return 204, (), b""
        digest = re.search("digest=([^&]*)", query)[1]
        base = path.split("/blobs/")[0]
        self.server.objects[f"{base}/blobs/{digest}"] = body
        return 201, (), b""
