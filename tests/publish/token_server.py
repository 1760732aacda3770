"""A token server: signs what a real registry's `auth: token` verifies, by the
distribution project's specifications of tokens and of OAuth2's."""
import base64
import http.server
import json
import ssl
import subprocess
import threading
import time
import urllib.parse


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Tokens(http.server.ThreadingHTTPServer):
    """https at `certificate`; signs with `signer`.key. `logins` are lines of
    Authorization, `identities` refresh tokens that are taken; `rights` are
    actions by repository, "*" of all others."""

    def __init__(self, certificate, signer):
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{certificate}.crt", f"{certificate}.key")
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.realm = f"https://127.0.0.1:{self.server_port}/token"
        self.signer = signer
        self.chain = ssl.PEM_cert_to_DER_cert(
            signer.with_suffix(".crt").read_text())
        self.logins, self.identities = set(), set()
        self.rights, self.asked = {"*": {"pull", "push", "delete"}}, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def access(self, scopes):
        for scope in scopes:
            kind, name, actions = scope.split(":")
            granted = self.rights.get(name, self.rights["*"])
            yield {"type": kind, "name": name, "actions": sorted(
                granted.intersection(actions.split(",")))}

    def token(self, service, scopes):
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256",
                "x5c": [base64.b64encode(self.chain).decode()]}
        claims = {"iss": "lab", "sub": "user", "aud": service,
                  "exp": now + 300, "nbf": now - 10, "iat": now,
                  "jti": str(len(self.asked)),
                  "access": list(self.access(scopes))}
        text = ".".join(encoded(json.dumps(part).encode())
                        for part in (head, claims))
        signed = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign",
             self.signer.with_suffix(".key")], input=text.encode(),
            capture_output=True, check=True).stdout
        return f"{text}.{encoded(signed)}"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, code, value):
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hand_out(self, field, words, scopes, known):
        login = self.headers.get("Authorization")
        self.server.asked.append((self.command, login, words, scopes))
        if not known:
            return self.answer(401, {"errors": [{"message": "who is that?"}]})
        return self.answer(200, {
            field: self.server.token(words["service"], scopes),
            "expires_in": 300})

    def do_GET(self):
        words = urllib.parse.parse_qs(self.path.partition("?")[2])
        self.hand_out("token", {"service": words["service"][0]},
                      words["scope"],
                      self.headers.get("Authorization") in self.server.logins)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        words = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        self.hand_out("access_token", words, words.pop("scope").split(" "),
                      words["grant_type"] == "refresh_token" and
                      words["refresh_token"] in self.server.identities)
