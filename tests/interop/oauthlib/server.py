# A real OAuth 1.0 provider, a protected API and test switches on one port of the loopback.
# ../README.md says what each client and switch is for.

import base64
import hashlib
import json
import secrets
import signal
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

from oauthlib.oauth1 import (
    AccessTokenEndpoint,
    AuthorizationEndpoint,
    OAuth1Error,
    RequestTokenEndpoint,
    RequestValidator,
    ResourceEndpoint,
    SignatureOnlyEndpoint,
)
from oauthlib.common import Request

METHODS = (
    "HMAC-SHA1",
    "HMAC-SHA256",
    "HMAC-SHA512",
    "RSA-SHA1",
    "RSA-SHA256",
    "RSA-SHA512",
    "PLAINTEXT",
)
REALM = "photos"


@dataclass
class Client:
    secret: str = ""
    rsa_key: str | None = None


@dataclass
class RequestToken:
    client: str
    secret: str
    callback: str
    verifier: str | None = None


@dataclass
class AccessToken:
    client: str
    secret: str


@dataclass
class Store:
    clients: dict[str, Client] = field(default_factory=dict)
    request_tokens: dict[str, RequestToken] = field(default_factory=dict)
    access_tokens: dict[str, AccessToken] = field(default_factory=dict)
    nonces: set[tuple] = field(default_factory=set)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


STORE = Store()


class Validator(RequestValidator):
    """Strict, and says in `request.problem` what it refused first."""

    enforce_ssl = False
    allowed_signature_methods = METHODS
    safe_characters = set(map(chr, range(0x21, 0x7F)))
    client_key_length = (1, 60)
    request_token_length = access_token_length = (20, 60)
    nonce_length = (16, 60)
    verifier_length = (8, 60)
    realms = [REALM]
    dummy_client = dummy_request_token = dummy_access_token = "dummy-dummy-dummy-dummy"

    def check_realms(self, realms):
        return all(realm == REALM for realm in realms)

    @staticmethod
    def _refuse(request, problem):
        request.problem = getattr(request, "problem", None) or problem
        return False

    # Secrets. Unknown ones give a dummy, so that all refusals take as long.
    def get_client_secret(self, client_key, request):
        return STORE.clients.get(client_key, Client("dummy")).secret

    def get_rsa_key(self, client_key, request):
        return STORE.clients.get(client_key, Client()).rsa_key or ""

    def get_request_token_secret(self, client_key, token, request):
        known = STORE.request_tokens.get(token)
        return known.secret if known and known.client == client_key else "dummy"

    def get_access_token_secret(self, client_key, token, request):
        known = STORE.access_tokens.get(token)
        return known.secret if known and known.client == client_key else "dummy"

    # What is presented.
    def validate_client_key(self, client_key, request):
        return client_key in STORE.clients or self._refuse(request, "consumer_key_unknown")

    def validate_request_token(self, client_key, token, request):
        known = STORE.request_tokens.get(token)
        if known and known.client == client_key:
            return True
        return self._refuse(request, "token_rejected")

    def validate_access_token(self, client_key, token, request):
        known = STORE.access_tokens.get(token)
        if known and known.client == client_key:
            return True
        return self._refuse(request, "token_rejected")

    def validate_timestamp_and_nonce(
        self, client_key, timestamp, nonce, request, request_token=None, access_token=None
    ):
        key = (client_key, timestamp, nonce, request_token or access_token)
        with STORE.lock:
            if key in STORE.nonces:
                return self._refuse(request, "nonce_used")
            STORE.nonces.add(key)
        return True

    def validate_redirect_uri(self, client_key, redirect_uri, request):
        return redirect_uri == "oob" or bool(urlsplit(redirect_uri).scheme)

    def validate_requested_realms(self, client_key, realms, request):
        return self.check_realms(realms)

    def validate_realms(self, client_key, token, request, uri=None, realms=None):
        return self.check_realms(realms or [])

    def validate_verifier(self, client_key, token, verifier, request):
        known = STORE.request_tokens.get(token)
        expected = known.verifier if known else None
        if expected and secrets.compare_digest(expected, verifier):
            return True
        return self._refuse(request, "verifier_invalid")

    def verify_request_token(self, token, request):
        return token in STORE.request_tokens

    def verify_realms(self, token, realms, request):
        return self.check_realms(realms)

    # What is kept.
    def get_default_realms(self, client_key, request):
        return [REALM]

    def get_realms(self, token, request):
        return [REALM]

    def get_redirect_uri(self, token, request):
        return STORE.request_tokens[token].callback

    def save_request_token(self, token, request):
        STORE.request_tokens[token["oauth_token"]] = RequestToken(
            request.client_key, token["oauth_token_secret"], request.redirect_uri
        )

    def save_verifier(self, token, verifier, request):
        STORE.request_tokens[token].verifier = verifier["oauth_verifier"]

    def save_access_token(self, token, request):
        STORE.access_tokens[token["oauth_token"]] = AccessToken(
            request.client_key, token["oauth_token_secret"]
        )

    def invalidate_request_token(self, client_key, request_token, request):
        STORE.request_tokens.pop(request_token, None)


class Told:
    """Keeps the request that an endpoint of oauthlib makes, to say why it refused."""

    def _create_request(self, *args, **kwargs):
        self.seen = super()._create_request(*args, **kwargs)
        return self.seen


def endpoint(kind):
    """A new one for each request, as `seen` is of one."""
    return type(kind.__name__, (Told, kind), {"seen": None})(Validator())


def problem_of(told, error=None):
    """The problem that the problem reporting extension has for a refusal."""
    if error is not None:
        text = error.description or ""
        if "imestamp" in text:
            return "timestamp_refused"
        if "signature" in text.lower():
            return "signature_method_rejected"
        return "parameter_absent" if "issing" in text else "parameter_rejected"
    if problem := getattr(told.seen, "problem", None):
        return problem
    return "signature_invalid"


def body_hash_is_wrong(request, body):
    """Whether an oauth_body_hash is there and is not that of the body."""
    given = request.oauth_params.get("oauth_body_hash")
    if given is None:
        return False
    name = request.signature_method.rpartition("-SHA")[2]
    hashed = hashlib.new({"256": "sha256", "512": "sha512"}.get(name, "sha1"), body)
    return base64.b64encode(hashed.digest()).decode() != given


def placement_of(request: Request, query, form):
    """Where the parameters of the protocol stood: in exactly one place."""
    places = [
        name
        for name, there in [
            ("header", request.headers.get("Authorization", "").startswith("OAuth ")),
            ("query", any(key == "oauth_signature" for key, _ in query)),
            ("body", any(key == "oauth_signature" for key, _ in form)),
        ]
        if there
    ]
    return "+".join(places)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.target = urlsplit(self.path)
        # oauthlib looks for these names, in this spelling.
        self.seen_headers = {
            name: self.headers[name]
            for name in ("Authorization", "Content-Type", "Host")
            if self.headers[name] is not None
        }
        self.uri = f"http://{self.headers['Host']}{self.path}"
        first = self.target.path.split("/")[1]
        routes = {
            "request_token": self.request_token,
            "authorize": self.authorize,
            "access_token": self.access_token,
            "api": self.resource,
            "two-legged": self.two_legged,
            "redirect": self.redirect,
            "_test": self.switch,
        }
        # One after the other: a verifier is good for one exchange.
        with STORE.lock:
            try:
                routes.get(first, lambda: self.answer(404))()
            except ValueError:
                # oauthlib's word for what it cannot decode.
                self.refuse("parameter_rejected", 400)

    do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def arguments(self):
        is_form = self.seen_headers.get("Content-Type", "").startswith(
            "application/x-www-form-urlencoded"
        )
        # Else oauthlib would take a JSON text that happens to read like a form for one.
        body = self.body.decode() if is_form else ""
        return self.uri, self.command, body, self.seen_headers

    def request_token(self):
        told = endpoint(RequestTokenEndpoint)
        headers, body, status = told.create_request_token_response(*self.arguments())
        self.issue(told, headers, body, status)

    def access_token(self):
        told = endpoint(AccessTokenEndpoint)
        user = {"user_id": "7", "screen_name": "Älice & Bob"}
        headers, body, status = told.create_access_token_response(
            *self.arguments(), credentials=user
        )
        self.issue(told, headers, body, status)

    def issue(self, told, headers, body, status):
        """What oauthlib answers, with the problem for what it refuses."""
        if status == 200:
            self.count("ok")
            self.answer(200, body.encode(), headers)
        else:
            described = dict(parse_qsl(body or "")).get("error_description")
            error = OAuth1Error(described) if described else None
            self.refuse(problem_of(told, error), status)

    def authorize(self):
        """A user who allows at once, or with `deny=1` refuses."""
        query = dict(parse_qsl(self.target.query))
        token = query.get("oauth_token", "")
        known = STORE.request_tokens.get(token)
        if known is None:
            self.answer(404, b"no such login")
        elif query.get("deny"):
            refusal = urlencode({"oauth_token": token, "oauth_problem": "permission_denied"})
            between = "&" if "?" in known.callback else "?"
            self.answer(302, headers={"Location": f"{known.callback}{between}{refusal}"})
        else:
            headers, body, status = endpoint(AuthorizationEndpoint).create_authorization_response(
                self.uri, "GET", None, {}, realms=[REALM]
            )
            self.answer(status, (body or "").encode(), headers)

    def resource(self):
        self.protect(
            endpoint(ResourceEndpoint), lambda told: told.validate_protected_resource_request(
                *self.arguments(), realms=[REALM]
            )
        )

    def two_legged(self):
        self.protect(
            endpoint(SignatureOnlyEndpoint), lambda told: told.validate_request(*self.arguments())
        )

    def protect(self, told, validate, allowed=None):
        try:
            valid, request = validate(told)
        except OAuth1Error as error:
            return self.refuse(problem_of(told, error), error.status_code)
        if not valid:
            return self.refuse(problem_of(told))
        if body_hash_is_wrong(request, self.body):
            return self.refuse("body_hash_invalid")
        self.count("ok")
        if allowed is not None:
            return allowed()
        query = parse_qsl(self.target.query, keep_blank_values=True)
        form = parse_qsl(self.arguments()[2], keep_blank_values=True)
        names = list(request.oauth_params)
        seen = {
            "client_key": request.client_key,
            "token": request.resource_owner_key,
            "signature_method": request.signature_method,
            "placement": placement_of(request, query, form),
            "has_body_hash": "oauth_body_hash" in names,
            "oauth_parameters": sorted(names),
            "method": self.command,
            "query": [pair for pair in query if not pair[0].startswith("oauth_")],
            "form": [pair for pair in form if not pair[0].startswith("oauth_")],
            "content_type": self.headers.get("Content-Type"),
            "body_length": len(self.body),
            "body_sha256": hashlib.sha256(self.body).hexdigest(),
        }
        self.answer(200, json.dumps(seen).encode(), {"Content-Type": "application/json"})

    def redirect(self):
        """`/redirect/STATUS?to=URL`, for requests that are signed right."""
        status = int(self.target.path.rpartition("/")[2])
        to = dict(parse_qsl(self.target.query))["to"]
        self.protect(
            endpoint(ResourceEndpoint),
            lambda told: told.validate_protected_resource_request(
                *self.arguments(), realms=[REALM]
            ),
            lambda: self.answer(status, headers={"Location": to}),
        )

    def switch(self):
        name = self.target.path.rpartition("/")[2]
        query = dict(parse_qsl(self.target.query))
        if name == "client":
            client = json.loads(self.body)
            STORE.clients[client["client_key"]] = Client(
                client.get("client_secret", ""), client.get("rsa_public_key")
            )
            self.answer(201)
        elif name == "counts":
            counts = STORE.counts.get(query["client"], {})
            self.answer(200, json.dumps(counts).encode(), {"Content-Type": "application/json"})
        else:
            self.answer(404)

    def count(self, what):
        """By the client that the request claims to be of."""
        text = " ".join([self.headers.get("Authorization", ""), self.path, self.body.decode("latin-1")])
        with STORE.lock:
            for key in STORE.clients:
                if f'oauth_consumer_key="{key}"' in text or f"oauth_consumer_key={key}&" in text:
                    counts = STORE.counts.setdefault(key, {})
                    counts[what] = counts.get(what, 0) + 1

    def refuse(self, problem, status=401):
        self.count(problem)
        self.answer(
            status or 401,
            urlencode({"oauth_problem": problem}).encode(),
            {
                "WWW-Authenticate": f'OAuth realm="{REALM}"',
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )

    def answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"issuer": f"http://127.0.0.1:{server.server_address[1]}"}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
