# A real OAuth server, a protected API and test switches on one port of the loopback.
# ../README.md says what each client and switch is for.

import json
import logging
import os
import re
import secrets
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlencode, urlsplit

from authlib.common.security import generate_token
from authlib.common.urls import add_params_to_uri
from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector, current_token
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import (
    AuthorizationCodeMixin,
    ClientMixin,
    InvalidGrantError,
    InvalidRequestError,
    TokenMixin,
    grants,
)
from authlib.oauth2.rfc6749.util import extract_basic_authorization
from authlib.oauth2.rfc6750 import BearerTokenGenerator, BearerTokenValidator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9207 import IssuerParameter
from flask import Flask, Response, abort, g, redirect, render_template_string, request, session
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from werkzeug.serving import make_server

import jose
import openid

# Authlib accepts what joserfc recommends, and that is HS256, RS256 and ES256.
jws.JWSRegistry.recommended = jose.ALGORITHMS

# Authlib takes plain http on the loopback by itself, but not under another name in `Host`.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

SCOPES = ["reports:read", "reports:write", "profile", *openid.SCOPES]
USERS = {"alice": "wonder land+%&é"}

# Every printable ASCII character that is neither letter nor digit, after what would change if
# it were decoded twice.
ODD = "%41+%2B !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

CLIENTS = [
    {"client_id": "basic", "client_secret": "basic-secret"},
    {
        "client_id": "post",
        "client_secret": "post-secret",
        "token_endpoint_auth_method": "client_secret_post",
    },
    {"client_id": "short", "client_secret": "short-secret", "access_token_ttl": 3},
    {"client_id": f"odd {ODD}", "client_secret": f"odd-secret {ODD}"},
    {
        "client_id": f"odd-post {ODD}",
        "client_secret": f"odd-post-secret {ODD}",
        "token_endpoint_auth_method": "client_secret_post",
    },
    {
        "client_id": "public",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["http://127.0.0.1/callback"],
    },
    {
        "client_id": "web",
        "client_secret": "web-secret",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://app.example/callback"],
    },
    {
        "client_id": "implicit",
        "token_endpoint_auth_method": "none",
        "grant_types": ["implicit"],
        "redirect_uris": ["http://127.0.0.1/callback"],
    },
    {
        "client_id": "password",
        "client_secret": "password-secret",
        "grant_types": ["password", "refresh_token"],
    },
    {
        "client_id": "password-public",
        "token_endpoint_auth_method": "none",
        "grant_types": ["password", "refresh_token"],
    },
]

# The issuer names the port, so the port comes first.
app = Flask(__name__)
http = make_server("127.0.0.1", 0, app, threaded=True)
http.socket.listen(512)  # werkzeug's queue of 128 is short for tests with hundreds of callers
ISSUER = f"http://127.0.0.1:{http.port}"

app.config.update(
    OAUTH2_SCOPES_SUPPORTED=SCOPES,
    SECRET_KEY=secrets.token_bytes(),
    SESSION_COOKIE_NAME="authlib_session",  # cookies do not tell ports apart
    SESSION_COOKIE_SAMESITE="Lax",
)
app.register_blueprint(jose.blueprint)
logging.getLogger("werkzeug").setLevel(logging.ERROR)  # or it would log requests and their tokens

# What the server knows. Whoever reads and then writes holds the lock: a code or a refresh token
# must not pass twice.
lock = threading.Lock()
clients = {}
codes = {}
access_tokens = {}
refresh_tokens = {}
used_assertions = set()  # (iss, jti)


class Client(ClientMixin):
    """A client with its metadata (RFC 7591)."""

    def __init__(self, metadata):
        """Raises ValueError for metadata that this server cannot serve."""
        self.metadata = metadata = {
            "token_endpoint_auth_method": "client_secret_basic",
            "grant_types": ["client_credentials"],
            "redirect_uris": [],
            "scope": " ".join(SCOPES),
            "access_token_ttl": 600,
            **metadata,
        }
        self.client_id = metadata.get("client_id")
        self.auth_method = metadata["token_endpoint_auth_method"]
        self.access_token_ttl = metadata["access_token_ttl"]
        self.client_metadata = metadata
        self.id_token_signed_response_alg = metadata.get("id_token_signed_response_alg")
        response_types = {"code": "authorization_code", "token": "implicit"}
        metadata.setdefault(
            "response_types",
            [kind for kind, grant in response_types.items() if self.check_grant_type(grant)],
        )

        if not is_text(self.client_id):
            raise ValueError("client_id must be a string")
        if self.auth_method not in ("client_secret_basic", "client_secret_post", "none"):
            raise ValueError("token_endpoint_auth_method is not supported")
        if self.auth_method != "none" and not is_text(metadata.get("client_secret")):
            raise ValueError("client_secret must be a string")
        unknown = set(metadata["grant_types"]) - GRANT_TYPES
        if unknown:
            raise ValueError(f"grant_types are not supported: {' '.join(sorted(unknown))}")
        if metadata["response_types"] and not metadata["redirect_uris"]:
            raise ValueError("redirect_uris are missing")
        for member in ("id_token_signed_response_alg", "userinfo_signed_response_alg"):
            if metadata.get(member, "RS256") not in openid.KEYS:
                raise ValueError(f"{member} is not supported")
        if type(self.access_token_ttl) is not int or self.access_token_ttl < 1:
            raise ValueError("access_token_ttl must be a positive number of seconds")
        try:
            self.keys = KeySet.import_key_set(metadata["jwks"]) if "jwks" in metadata else None
        except (JoseError, KeyError, TypeError) as error:
            raise ValueError(f"jwks are not valid: {error}") from error

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        uris = self.metadata["redirect_uris"]
        return uris[0] if len(uris) == 1 else None

    def get_allowed_scope(self, scope):
        allowed = self.metadata["scope"].split()
        return " ".join(name for name in (scope or "").split() if name in allowed)

    def check_redirect_uri(self, redirect_uri):
        return any(matches(uri, redirect_uri) for uri in self.metadata["redirect_uris"])

    def check_client_secret(self, client_secret):
        return secrets.compare_digest(
            self.metadata.get("client_secret", "").encode(), client_secret.encode()
        )

    def check_endpoint_auth_method(self, method, endpoint):
        return method == self.auth_method

    def check_response_type(self, response_type):
        return response_type in self.metadata["response_types"]

    def check_grant_type(self, grant_type):
        return grant_type in self.metadata["grant_types"]


def is_text(value):
    return isinstance(value, str) and value != ""


def matches(registered, redirect_uri):
    """Compares exactly, but lets any port of a loopback redirect do (RFC 8252 section 7.3)."""
    if registered == redirect_uri:
        return True
    try:
        known, asked = urlsplit(registered), urlsplit(redirect_uri)
        loopback = known.scheme == "http" and ip_address(known.hostname or "").is_loopback
        without_port = asked._replace(netloc=re.sub(r":\d+$", "", asked.netloc))
        return loopback and known.port is None and asked.port != 0 and without_port == known
    except ValueError:
        return False


@dataclass
class Family:
    """All tokens that come from one authorization. They are revoked together."""

    revoked: bool = False


@dataclass
class AuthorizationCode(AuthorizationCodeMixin):
    client_id: str
    user: str
    scope: str
    redirect_uri: str | None
    code_challenge: str | None
    code_challenge_method: str | None
    nonce: str | None
    auth_time: int | None
    expires_at: float
    family: Family = field(default_factory=Family)
    used: bool = False

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope

    def get_nonce(self):
        return self.nonce

    def get_auth_time(self):
        return self.auth_time

    def get_acr(self):
        return None

    def get_amr(self):
        return None


@dataclass
class Token(TokenMixin):
    """An access token, or a refresh token: that has no `expires_in`."""

    client_id: str
    user: str | None
    scope: str
    family: Family
    expires_in: int | None = None
    issued_at: float = field(default_factory=time.time)
    revoked: bool = False
    rotated: bool = False

    def check_client(self, client):
        return self.client_id == client.client_id

    def get_client(self):
        return clients[self.client_id]

    def get_user(self):
        return self.user

    def get_scope(self):
        return self.scope

    def get_expires_in(self):
        return self.expires_in or 0

    def is_expired(self):
        return self.expires_in is not None and time.time() >= self.issued_at + self.expires_in

    def is_revoked(self):
        return self.revoked or self.rotated or self.family.revoked


def save_token(token, oauth_request):
    previous = oauth_request.authorization_code or oauth_request.refresh_token
    family = previous.family if previous else Family()
    client_id, scope = oauth_request.client.client_id, token.get("scope", "")
    access_tokens[token["access_token"]] = Token(
        client_id, oauth_request.user, scope, family, token["expires_in"]
    )
    if "refresh_token" in token:
        # RFC 6749 section 6: "the refresh token scope MUST be identical to that of the refresh
        # token included by the client in the request."
        scope = previous.scope if previous else scope
        refresh_tokens[token["refresh_token"]] = Token(
            client_id, oauth_request.user, scope, family
        )


def query_token(value):
    """Finds a token of either kind: a wrong hint must not hide it (RFC 7009 section 2.1)."""
    return access_tokens.get(value) or refresh_tokens.get(value)


class Generator(BearerTokenGenerator):
    def __init__(self):
        super().__init__(
            access_token_generator=lambda **_: generate_token(42),
            refresh_token_generator=lambda **_: generate_token(48),
            expires_generator=lambda client, grant_type: client.access_token_ttl,
        )

    def generate(self, grant_type, client, user, scope, expires_in, include_refresh_token):
        refreshable = include_refresh_token and client.check_grant_type("refresh_token")
        return super().generate(grant_type, client, user, scope, expires_in, refreshable)


ANY_AUTH_METHOD = ["client_secret_basic", "client_secret_post", "none"]
WITH_SECRET = ["client_secret_basic", "client_secret_post"]


class ClientCredentialsGrant(grants.ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = WITH_SECRET


class PasswordGrant(grants.ResourceOwnerPasswordCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ANY_AUTH_METHOD

    def authenticate_user(self, username, password):
        return authenticate_user(username, password)


class AuthorizationCodeGrant(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ANY_AUTH_METHOD

    def save_authorization_code(self, code, request):
        codes[code] = AuthorizationCode(
            client_id=request.client.client_id,
            user=request.user,
            scope=request.scope,
            redirect_uri=request.payload.redirect_uri,
            code_challenge=request.payload.data.get("code_challenge"),
            code_challenge_method=request.payload.data.get("code_challenge_method"),
            nonce=request.payload.data.get("nonce"),
            auth_time=session.get("auth_time"),
            expires_at=time.time() + 60,
        )

    def query_authorization_code(self, code, client):
        known = codes.get(code)
        if not known or known.client_id != client.client_id or time.time() >= known.expires_at:
            return None
        if known.used:
            known.family.revoked = True  # RFC 6749 section 4.1.2
            return None
        return known

    def delete_authorization_code(self, authorization_code):
        authorization_code.used = True

    def authenticate_user(self, authorization_code):
        return authorization_code.user


class Pkce(CodeChallenge):
    """PKCE with S256 alone. Authlib itself misses a challenge only at the token endpoint."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant, redirect_uri):
        super().validate_code_challenge(grant, redirect_uri)
        parameters = grant.request.payload.data
        if parameters.get("code_challenge"):
            if "code_challenge_method" not in parameters:
                raise InvalidRequestError("Missing 'code_challenge_method'")
        elif grant.request.client.auth_method == "none":
            raise InvalidRequestError("Missing 'code_challenge'")


class RefreshTokenGrant(grants.RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ANY_AUTH_METHOD
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token):
        known = refresh_tokens.get(refresh_token)
        if not known or not known.check_client(self.request.client):
            return None
        if known.rotated:
            known.family.revoked = True
        return None if known.is_revoked() else known

    def authenticate_user(self, refresh_token):
        return refresh_token.user

    def revoke_old_credential(self, refresh_token):
        refresh_token.rotated = True


class AssertionGrant(JWTBearerGrant):
    """Assertions of clients that they sign themselves, as Google's service accounts do."""

    TOKEN_ENDPOINT_AUTH_METHODS = WITH_SECRET

    def resolve_issuer_client(self, issuer):
        return clients.get(issuer)

    def resolve_client_public_key(self, client):
        if client.keys is None:
            raise InvalidGrantError(description="The client has no keys.")
        return client.keys

    def get_audiences(self):
        return [ISSUER, f"{ISSUER}/token"]

    def process_assertion_claims(self, assertion):
        self.claims = super().process_assertion_claims(assertion)
        return self.claims

    def validate_requested_scope(self):
        # Google's scope is a claim, that of RFC 7521 section 4.1 a parameter.
        self.scope = self.request.payload.scope or self.claims.get("scope")
        if not isinstance(self.scope, str | None):
            raise InvalidGrantError(description="Invalid claim: 'scope'")
        return self.server.validate_requested_scope(self.scope)

    def authenticate_user(self, subject):
        return subject if subject in USERS or subject == self.claims["iss"] else None

    def has_granted_permission(self, client, user):
        return True

    def validate_token_request(self):
        super().validate_token_request()
        issuer = self.request.client
        if "Authorization" in request.headers or "client_secret" in request.form:
            # RFC 7523 section 2.1: "Authentication of the client is optional".
            if self.authenticate_token_endpoint_client() is not issuer:
                raise InvalidGrantError(description="The assertion is another client's.")
        # Last, because a request that fails must not use up the assertion.
        if "jti" in self.claims:
            used = (issuer.client_id, self.claims["jti"])
            if used in used_assertions:
                raise InvalidGrantError(description="The assertion has been used before: 'jti'")
            used_assertions.add(used)

    def create_token_response(self):
        token = self.generate_token(
            scope=self.scope, user=self.request.user, include_refresh_token=False
        )
        self.save_token(token)
        return 200, token, self.TOKEN_RESPONSE_HEADER


class Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = ANY_AUTH_METHOD

    def query_token(self, token_string, token_type_hint):
        return query_token(token_string)

    def revoke_token(self, token, request):
        if token.expires_in is None:
            token.family.revoked = True  # with the access tokens, as RFC 7009 section 2.1 advises
        else:
            token.revoked = True


class Introspection(IntrospectionEndpoint):
    CLIENT_AUTH_METHODS = WITH_SECRET

    def query_token(self, token_string, token_type_hint):
        return query_token(token_string)

    def check_permission(self, token, client, request):
        return True

    def introspect_token(self, token):
        members = {
            "active": True,
            "iss": ISSUER,
            "client_id": token.client_id,
            "scope": token.scope or None,
            "sub": token.user,
            "username": token.user,
            "iat": int(token.issued_at),
        }
        if token.expires_in is not None:
            members["token_type"] = "Bearer"
            members["exp"] = int(token.issued_at + token.expires_in)
        return {name: value for name, value in members.items() if value is not None}


class Issuer(IssuerParameter):
    def get_issuer(self):
        return ISSUER

    def add_issuer_parameter(self, authorization_server, response):
        # Authlib's own puts `iss` into the query even when the rest is in the fragment.
        location = response.location
        if location:
            response.location = add_params_to_uri(location, {"iss": ISSUER}, "#" in location)


issuer_parameter = Issuer()
server = AuthorizationServer(app, query_client=clients.get, save_token=save_token)
server.register_token_generator("default", Generator())
server.register_extension(issuer_parameter)
server.register_grant(ClientCredentialsGrant)
server.register_grant(PasswordGrant)
server.register_grant(AuthorizationCodeGrant, [Pkce(), openid.CodeIdToken(ISSUER, codes)])
server.register_grant(RefreshTokenGrant, [openid.RenewedIdToken(ISSUER, codes)])
server.register_grant(grants.ImplicitGrant)
server.register_grant(AssertionGrant)
server.register_endpoint(Revocation)
server.register_endpoint(Introspection)
server.register_endpoint(openid.Logout)

GRANT_TYPES = {
    "client_credentials",
    "password",
    "authorization_code",
    "refresh_token",
    "implicit",
    AssertionGrant.GRANT_TYPE,
}


def authenticate_user(username, password):
    known = USERS.get(username)
    if known is not None and secrets.compare_digest(known.encode(), password.encode()):
        return username
    return None


@app.get("/.well-known/oauth-authorization-server")
def metadata():
    return {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/authorize",
        "token_endpoint": f"{ISSUER}/token",
        "revocation_endpoint": f"{ISSUER}/revoke",
        "introspection_endpoint": f"{ISSUER}/introspect",
        "scopes_supported": SCOPES,
        "response_types_supported": ["code", "token"],
        "grant_types_supported": sorted(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": ANY_AUTH_METHOD,
        "revocation_endpoint_auth_methods_supported": ANY_AUTH_METHOD,
        "introspection_endpoint_auth_methods_supported": WITH_SECRET,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }


@app.get("/.well-known/openid-configuration")
def openid_metadata():
    return {**metadata(), **openid.metadata(ISSUER)}


@app.get("/jwks")
def jwks():
    return openid.jwks()


FORM = """<!doctype html>
<title>Authorization</title>
<form method="post" action="{{ '/authorize' if user else '/login' }}">
  {%- for name, value in parameters %}
  <input type="hidden" name="{{ name }}" value="{{ value }}">
  {%- endfor %}
  {%- if user %}
  <p>{{ user }}, do you allow {{ client_id }} this: {{ scope or "nothing in particular" }}?</p>
  <button type="submit" name="decision" value="allow">Allow</button>
  <button type="submit" name="decision" value="deny">Deny</button>
  {%- else %}
  {%- if failed %}
  <p>The name or the password is wrong.</p>
  {%- endif %}
  <input name="username" autocomplete="username" required autofocus>
  <input name="password" type="password" autocomplete="current-password" required>
  <button type="submit">Sign in</button>
  {%- endif %}
</form>
"""


def form(**variables):
    """The form to sign in or, for a `user`, to consent. It carries the request along."""
    return render_template_string(FORM, parameters=parameters(), **variables)


def parameters():
    """Those of the authorization request, without those of the forms."""
    own = ("username", "password", "decision")
    return [(name, value) for name, value in request.values.items(multi=True) if name not in own]


@app.route("/authorize", methods=["GET", "POST"])
def authorize():
    user = session.get("user")
    try:
        grant = server.get_consent_grant(end_user=user)
    except OAuth2Error as error:
        response = server.handle_error_response(None, error)
        issuer_parameter.add_issuer_parameter(server, response)
        return response
    if user is None:
        return form()
    decision = request.form.get("decision")
    if decision not in ("allow", "deny"):
        return form(user=user, client_id=grant.client.client_id, scope=grant.request.scope)
    with lock:
        return server.create_authorization_response(
            grant_user=user if decision == "allow" else None, grant=grant
        )


@app.post("/login")
def login():
    user = authenticate_user(request.form.get("username", ""), request.form.get("password", ""))
    if user is None:
        return form(failed=True), 403
    session["user"] = user
    session["auth_time"] = int(time.time())
    return redirect(f"/authorize?{urlencode(parameters())}", 303)


# What the switches set, keyed by client id; the key `None` stands for every client.
counts = {}  # client id -> grant type -> {"ok": ..., "error": ...}
delays = {}  # milliseconds
failures = {}  # [requests that are to fail, status]


@app.post("/token")
def token():
    """Counts, delays and fails token requests. The server's own answers pass unchanged."""
    client = claimed_client()
    with lock:
        # First, because a request that is to fail must not use up a code or a refresh token.
        status = take_failure(client) or take_failure(None)
        if status:
            response = plain("failed by a test switch", status)
            if status in (429, 503):
                response.headers["Retry-After"] = "0"
        else:
            response = server.create_token_response()
        count(client, "ok" if response.status_code == 200 else "error")
        delay = delays.get(client, delays.get(None, 0))
    time.sleep(delay / 1000)
    return response


@app.post("/revoke")
def revoke():
    return server.create_endpoint_response(Revocation.ENDPOINT_NAME)


@app.post("/introspect")
def introspect():
    return server.create_endpoint_response(Introspection.ENDPOINT_NAME)


def claimed_client():
    client, _ = extract_basic_authorization(request.headers)
    return client or request.form.get("client_id") or claimed_issuer() or ""


def claimed_issuer():
    """The client in an assertion, whoever signed it."""
    try:
        issuer = json.loads(jws.extract_compact(request.form["assertion"].encode()).payload)["iss"]
    except (JoseError, KeyError, TypeError, ValueError):
        return None
    return issuer if is_text(issuer) else None


def take_failure(key):
    failure = failures.get(key)
    if not failure or failure[0] == 0:
        return None
    failure[0] -= 1
    return failure[1]


def count(client, outcome):
    grants_of_client = counts.setdefault(client, {})
    grant_type = request.form.get("grant_type", "")
    grants_of_client.setdefault(grant_type, {"ok": 0, "error": 0})[outcome] += 1


def total(client_ids):
    sums = {}
    for client_id in client_ids:
        for grant_type, outcomes in counts.get(client_id, {}).items():
            sum_of_grant = sums.setdefault(grant_type, {"ok": 0, "error": 0})
            for outcome, number in outcomes.items():
                sum_of_grant[outcome] += number
    return sums


@app.get("/_test/counts")
def test_counts():
    client = request.args.get("client")
    with lock:
        if client is not None:
            return total([client])
        return {**total(counts), "by_client": {known: total([known]) for known in counts}}


@app.post("/_test/reset")
def test_reset():
    client = request.args.get("client")
    with lock:
        for switched in (counts, delays, failures):
            if client is None:
                switched.clear()
            else:
                switched.pop(client, None)
    return "", 204


@app.post("/_test/delay")
def test_delay():
    delays[request.args.get("client")] = whole_number("ms")
    return "", 204


@app.post("/_test/fail")
def test_fail():
    status = whole_number("status")
    if not 400 <= status <= 599:
        abort(plain("status must be that of an error", 400))
    failures[request.args.get("client")] = [whole_number("next"), status]
    return "", 204


@app.post("/_test/revoke_all")
def test_revoke_all():
    client = request.args.get("client")
    with lock:
        for known in access_tokens.values():
            known.revoked |= client in (None, known.client_id)
    return "", 204


@app.post("/_test/client")
def test_client():
    metadata = request.get_json(force=True)
    try:
        client = Client(metadata)
    except (TypeError, ValueError) as error:
        abort(plain(str(error), 400))
    clients[client.client_id] = client
    return client.metadata, 201


def whole_number(name):
    value = request.args.get(name, "")
    if not re.fullmatch("[0-9]{1,9}", value):
        abort(plain(f"{name} must be a whole number", 400))
    return int(value)


def plain(text, status):
    return Response(text, status, mimetype="text/plain")


class Protector(ResourceProtector):
    """Takes the token from wherever RFC 6750 section 2 lets it be; Authlib only from the header."""

    def parse_request_authorization(self, request_of_authlib):
        placed = {
            "header": request.headers.get("Authorization"),
            "body": request.form.get("access_token") if request.method == "POST" else None,
            "query": request.args.get("access_token"),
        }
        placements = [placement for placement, value in placed.items() if value]
        if len(placements) > 1:
            raise InvalidRequestError("There is more than one access token in the request.")
        g.placement = placements[0] if placements else "header"
        if g.placement != "header":
            return self.get_token_validator("bearer"), placed[g.placement]
        return super().parse_request_authorization(request_of_authlib)


class Validator(BearerTokenValidator):
    def authenticate_token(self, token_string):
        return access_tokens.get(token_string)


protected = Protector()
protected.register_token_validator(Validator())


server.register_endpoint(openid.UserInfo(ISSUER, resource_protector=protected))


@app.route("/userinfo", methods=["GET", "POST"])
def userinfo():
    return server.create_endpoint_response(openid.UserInfo.ENDPOINT_NAME)


@app.route("/logout", methods=["GET", "POST"])
def logout():
    return server.create_endpoint_response(openid.Logout.ENDPOINT_NAME) or "logged out"


@app.route("/api/me", methods=["GET", "POST"])
def me():
    length = len(request.get_data())  # before the form is read, which would leave nothing of it
    with protected.acquire():
        return {
            "client_id": current_token.client_id,
            "scope": current_token.scope or None,
            "sub": current_token.user,
            "method": request.method,
            "body_length": length,
            "placement": g.placement,
        }


for client in map(Client, CLIENTS):
    clients[client.client_id] = client


def stop(*_):
    os._exit(0)


signal.signal(signal.SIGTERM, stop)
threading.Thread(target=http.serve_forever, daemon=True).start()
print(json.dumps({"issuer": ISSUER}), flush=True)
while sys.stdin.buffer.read1():
    pass
stop()
