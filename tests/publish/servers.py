"""Real servers on free ports of this machine, each in a folder of its own.

A port may be taken between the look and the start, so a start that fails is
tried again with another one.
"""
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from go_tools import go_tool

TRIES = 5
READY_S = 300  # on a machine with other work; MLflow takes seconds alone


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running program; `url` is its root, `data` what it serves."""

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        (folder / "tmp").mkdir()
        for _ in range(TRIES):
            self.port = free_port()
            self.url = f"http://127.0.0.1:{self.port}"
            self.process = subprocess.Popen(
                self.command(), stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                env=self.environment(), start_new_session=True)
            if self.is_ready():
                return
            self.stop()
        raise RuntimeError(f"{type(self).__name__} does not start; see "
                           f"{folder}")

    def environment(self):
        return dict(os.environ)

    def command(self):
        raise NotImplementedError

    def configure(self, text):
        """The server's configuration, with its folder and port."""
        text = text.replace("@T@", str(self.folder))
        (self.folder / "conf").write_text(
            text.replace("@PORT@", str(self.port)))

    def answers(self):
        """Any HTTP reply will do."""
        try:
            urllib.request.urlopen(self.url, timeout=1)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def is_ready(self):
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            if self.process.poll() is not None:
                return False
            if self.answers():
                return True
            time.sleep(0.02)
        return False

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


NGINX_HEAD = """
daemon off; pid @T@/pid; error_log @T@/err; worker_processes 2;
@USER@
events {}
http {
 access_log @T@/access;
 client_body_temp_path @T@/tmp; proxy_temp_path @T@/proxy;
 fastcgi_temp_path @T@/fastcgi; uwsgi_temp_path @T@/uwsgi; scgi_temp_path @T@/scgi;
"""

NGINX = """
load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
""" + NGINX_HEAD + """
 server {
  listen 127.0.0.1:@PORT@; root @T@/data; client_max_body_size 0;
  location / {
   dav_methods PUT DELETE MKCOL COPY MOVE;
   dav_ext_methods PROPFIND OPTIONS;
   create_full_put_path on; autoindex on;
  }
  location /auth/ {
   auth_basic x; auth_basic_user_file @T@/htpasswd;
   dav_methods PUT DELETE; create_full_put_path on;
  }
  location /small/ {
   client_max_body_size 1k; dav_methods PUT; create_full_put_path on;
  }
  location /readonly/ { limit_except GET HEAD { deny all; } }
  location /redirect/ {
   return 307 http://127.0.0.1:@PORT@/elsewhere$request_uri;
  }
  location /loop/ { return 307 http://127.0.0.1:@PORT@$request_uri; }
 }
}
"""


class Nginx(Server):
    def text(self):
        return NGINX

    def command(self):
        (self.folder / "htpasswd").write_text("user:{PLAIN}pass word\n")
        self.configure(self.text().replace(
            "@USER@", "user root;" if os.getuid() == 0 else ""))
        return ["/usr/sbin/nginx", "-e", self.folder / "err",
                "-c", self.folder / "conf"]

    def requests(self):
        """"METHOD path status" of each request so far."""
        rows = []
        for line in (self.folder / "access").read_text().splitlines():
            request, status = line.split('"')[1], line.split('"')[2].split()[0]
            rows.append(" ".join(request.split()[:2] + [status]))
        return rows


APACHE = """
ServerRoot @T@
ServerName 127.0.0.1
DefaultRuntimeDir @T@
PidFile @T@/pid
Mutex file:@T@
ErrorLog @T@/err
Listen 127.0.0.1:@PORT@
LoadModule mpm_event_module  /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dav_module        /usr/lib/apache2/modules/mod_dav.so
LoadModule dav_fs_module     /usr/lib/apache2/modules/mod_dav_fs.so
LoadModule dir_module        /usr/lib/apache2/modules/mod_dir.so
LoadModule autoindex_module  /usr/lib/apache2/modules/mod_autoindex.so
DavLockDB @T@/lock
DocumentRoot @T@/data
<Directory @T@/data>
 Dav On
 Options Indexes
 Require all granted
</Directory>
"""


class Apache(Server):
    def command(self):
        text = APACHE
        if os.getuid() == 0:
            text += "User www-data\nGroup www-data\n"
            self.open_to_all()
        self.configure(text)
        return ["/usr/sbin/apache2", "-f", self.folder / "conf",
                "-DFOREGROUND"]

    def open_to_all(self):
        """Apache gives up root: its folders must let it in."""
        for path in (self.folder, self.data, self.folder / "tmp"):
            path.chmod(0o777)
        for parent in self.folder.parents:
            if parent.stat().st_uid == os.getuid() and parent.name:
                parent.chmod(parent.stat().st_mode | 0o111)


LIGHTTPD = """
server.modules = ("mod_webdav", "mod_dirlisting")
server.document-root = "@T@/data"
server.bind = "127.0.0.1"
server.port = @PORT@
server.errorlog = "@T@/err"
server.upload-dirs = ("@T@/tmp")
dir-listing.activate = "enable"
webdav.activate = "enable"
webdav.is-readonly = "disable"
webdav.sqlite-db-name = "@T@/dav.db"
"""


class Lighttpd(Server):
    def command(self):
        self.configure(LIGHTTPD)
        return ["/usr/sbin/lighttpd", "-D", "-m", "/usr/lib/lighttpd",
                "-f", self.folder / "conf"]


class Versitygw(Server):
    """S3 with strict signatures, multipart and conditional writes."""

    ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    REGION = "us-east-1"

    def command(self):
        program = go_tool("github.com/versity/versitygw/cmd/versitygw",
                          "v1.8.0")
        return [program, "--port", f"127.0.0.1:{self.port}",
                "--region", self.REGION, "--keep-alive", "--quiet",
                "--virtual-domain", f"localhost:{self.port}", "posix",
                "--sidecar", self.folder / "tmp", self.data]

    def environment(self):
        return dict(os.environ, ROOT_ACCESS_KEY=self.ACCESS,
                    ROOT_SECRET_KEY=self.SECRET)

    def login(self, **more):
        """What a client's environment says."""
        return dict({"AWS_ACCESS_KEY_ID": self.ACCESS,
                     "AWS_SECRET_ACCESS_KEY": self.SECRET,
                     "AWS_ENDPOINT_URL_S3": self.url}, **more)


REGISTRY = """
version: 0.1
storage: {filesystem: {rootdirectory: @T@/data}, delete: {enabled: true}}
http: {addr: "127.0.0.1:@PORT@"}
log: {level: error}
"""

HTPASSWD = """
auth: {htpasswd: {realm: lab, path: @T@/htpasswd}}
"""


class Registry(Server):
    """docker-registry 2.8.2: the old rules, which many registries follow."""

    extra = ""

    def program(self):
        return ["/usr/bin/docker-registry", "serve"]

    def command(self):
        self.configure(REGISTRY + self.extra)
        return [*self.program(), self.folder / "conf"]

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"


class LockedRegistry(Registry):
    """The same behind a login. bcrypt of "pass word"."""

    extra = HTPASSWD

    def command(self):
        (self.folder / "htpasswd").write_text(
            "user:$2b$04$sA7xegzWSQz1.iGQpZkz2OXuangRaTcD7ve5FhSWHW8TSgs01.ikW"
            "\n")
        return super().command()


class Distribution(Registry):
    """distribution 3.1.2, its successor."""

    def program(self):
        return [go_tool("github.com/distribution/distribution/v3/cmd/registry",
                        "v3.1.2"), "serve"]


TOKENS = """
auth: {token: {realm: "@REALM@", service: lab, issuer: lab,
               rootcertbundle: @SIGNER@.crt}}
"""


class TokenRegistry(Registry):
    """The same for who brings a token that `signer`.key has signed."""

    def __init__(self, folder, realm, signer):
        self.extra = TOKENS.replace("@REALM@", realm).replace(
            "@SIGNER@", str(signer))
        super().__init__(folder)


class TokenDistribution(Distribution, TokenRegistry):
    pass


FRONT = NGINX_HEAD + """
 proxy_set_header Host $http_host;
 server {
  listen 127.0.0.1:@PORT@; client_max_body_size 0;
  location = /v2/ { return 200 "{}"; }
  location / { proxy_pass @BEHIND@; @RULE@ }
 }
}
"""


class Front(Nginx):
    """nginx before a registry: /v2/ is open to all, the rest as `rule` says."""

    TO_PUSH = ("limit_except GET HEAD { auth_basic lab; "
               "auth_basic_user_file @T@/htpasswd; }")

    def __init__(self, folder, behind, rule=""):
        self.behind, self.rule = behind, rule
        super().__init__(folder)
        self.host = f"127.0.0.1:{self.port}"

    def text(self):
        return FRONT.replace("@BEHIND@", self.behind.url).replace(
            "@RULE@", self.rule)


class Mlflow(Server):
    """MLflow's tracking server, with its artifacts on its own disk or in S3."""

    # Once for all its tests, since it takes seconds to start.
    def __init__(self, folder, destination=None, environment=None):
        self.destination, self.more = destination, environment or {}
        super().__init__(folder)

    def command(self):
        return [sys.executable, "-m", "mlflow", "server", "--host",
                "127.0.0.1", "--port", str(self.port), "--workers", "1",
                "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db",
                "--artifacts-destination",
                self.destination or str(self.data)]

    def environment(self):
        # Its job runners would outlive it.
        return dict(os.environ, MLFLOW_DISABLE_TELEMETRY="true",
                    MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
                    **self.more)

    def answers(self):
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1):
                return True
        except OSError:
            return False

    @property
    def place(self):
        return f"mlflow+http://127.0.0.1:{self.port}"
