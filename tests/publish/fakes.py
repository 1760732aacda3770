"""FAKES of Artifactory, Nexus and GitLab: no server of these products runs
here.

They enforce the rules that the products' own clients and documentation tell,
as far as uploads meet them, and refuse what the products' front ends refuse: a
body without a length, chunks, paths with `..` or `//`. What they prove is that
we follow these rules, not that the products do.
"""
import base64
import hashlib
import http.server
import json
import re
import threading
import time


class Fake(http.server.ThreadingHTTPServer):
    """`files`: what is stored by path; `log`: "METHOD path status"."""

    daemon_threads = True

    def __init__(self, handler, **rules):
        super().__init__(("127.0.0.1", 0), handler)
        self.files, self.log, self.rules = {}, [], rules
        self.lock, self.under_way = threading.Lock(), 0
        self.most_under_way = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root = re.compile("/")

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", **headers):
        self.server.log.append(f"{self.command} {self.path} {status}")
        self.send_response(status)
        headers.setdefault("Content_Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reply_json(self, status, value):
        self.reply(status, json.dumps(value).encode(),
                   Content_Type="application/json")

    def is_basic(self, user="user", password="pass word"):
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {pair}"

    def serve(self):
        length = self.headers.get("Content-Length")
        if self.command == "PUT" and length is None:
            self.close_connection = True
            return self.reply(411)
        body = self.rfile.read(int(length or 0))
        if ".." in self.path or "//" in self.path:
            return self.reply(400, b"bad path")
        if not self.is_allowed():
            return self.refuse_login()
        if not self.root.match(self.path):
            return self.reply(404, b"unknown repository")
        if self.command == "PUT":
            return self.put_alone(body)
        if self.command == "DELETE":
            return self.reply(204 if self.server.files.pop(self.path, None)
                              is not None else 404)
        if self.command not in ("GET", "HEAD"):
            return self.reply(405)
        data = self.server.files.get(self.path)
        if data is None:
            return self.reply(404)
        return self.reply(200, data, Content_Length=str(len(data)),
                          **self.describe(data))

    def put_alone(self, body):
        with self.server.lock:
            self.server.under_way += 1
            self.server.most_under_way = max(self.server.most_under_way,
                                             self.server.under_way)
        try:
            time.sleep(0.02)
            return self.put(body)
        finally:
            with self.server.lock:
                self.server.under_way -= 1

    do_PUT = do_GET = do_HEAD = do_DELETE = do_MKCOL = serve


class Artifactory(Handler):
    """FAKE. Rules: `no_delete`: what is there may not be replaced."""

    root = re.compile("/artifactory/models/.")

    def is_allowed(self):
        return self.is_basic() or \
            self.headers.get("Authorization") == "Bearer an access token"

    def refuse(self, status, message):
        self.reply_json(status, {"errors": [{"status": status,
                                             "message": message}]})

    def refuse_login(self):
        self.refuse(401, "Bad credentials")

    def describe(self, data):
        return {"X_Checksum_Sha256": hashlib.sha256(data).hexdigest(),
                "X_Checksum_Sha1": hashlib.sha1(data).hexdigest(),
                "ETag": hashlib.sha1(data).hexdigest()}

    def known(self):
        wanted = self.headers.get("X-Checksum-Sha256")
        return next((data for data in self.server.files.values()
                     if hashlib.sha256(data).hexdigest() == wanted), None)

    def put(self, body):
        digest = self.headers.get("X-Checksum-Sha256")
        if self.headers.get("X-Checksum-Deploy") == "true":
            body = self.known()
            if body is None:
                return self.refuse(404, "Checksum values not found")
        elif digest and digest != hashlib.sha256(body).hexdigest():
            return self.refuse(409, "Checksum policy 'SERVER' rejected the "
                                    "artifact")
        if self.path in self.server.files and \
                self.server.rules.get("no_delete"):
            return self.refuse(403, "Not enough permissions to delete")
        self.server.files[self.path] = body
        return self.reply_json(201, {
            "repo": "models", "path": self.path, "size": str(len(body)),
            "checksums": {"sha256": hashlib.sha256(body).hexdigest()}})



class Nexus(Handler):
    """FAKE. Rules: `no_redeploy`: 400 for what is there."""

    root = re.compile("/repository/raw/.")

    def is_allowed(self):
        return self.is_basic()

    def refuse_login(self):
        self.reply(401)

    def describe(self, data):
        return {"ETag": '"{SHA1{%s}}"' % hashlib.sha1(data).hexdigest()}

    def put(self, body):
        if self.path in self.server.files and \
                self.server.rules.get("no_redeploy"):
            return self.reply(400, b"Repository does not allow updating "
                                   b"assets: raw")
        self.server.files[self.path] = body
        return self.reply(201)


class Gitlab(Handler):
    """FAKE. Rules: `no_duplicates`: 400 for what is there. Two uploads to one
    package at a time: 500."""

    root = re.compile("/api/v4/projects/7/packages/generic/resnet/1.0.0/.")

    def is_allowed(self):
        return self.headers.get("PRIVATE-TOKEN") == "a gitlab token" or \
            self.headers.get("JOB-TOKEN") == "a job token"

    def refuse_login(self):
        self.reply_json(401, {"message": "401 Unauthorized"})

    def describe(self, data):
        return {"X_Checksum_SHA256": hashlib.sha256(data).hexdigest()} \
            if self.command == "GET" else {}

    def put(self, body):
        if self.server.under_way > 1:
            return self.reply_json(500, {"message": "500 Internal Error"})
        if self.path in self.server.files and \
                self.server.rules.get("no_duplicates"):
            return self.reply_json(400, {
                "message": "Duplicate package is not allowed"})
        self.server.files[self.path] = body
        return self.reply_json(201, {"message": "201 Created"})
