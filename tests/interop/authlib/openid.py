# OpenID Connect by Authlib: ID tokens, UserInfo and logout.

from authlib.oidc import core
from authlib.oidc.rpinitiated import EndSessionEndpoint
from flask import session
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

SCOPES = ["openid", "email"]
NAMES = {"alice": "Alice Liddell"}


def new_key(kind, of, algorithm):
    parameters = {"kid": algorithm, "alg": algorithm, "use": "sig"}
    return kind.generate_key(of, parameters, private=True)


KEYS = {
    "RS256": new_key(RSAKey, 2048, "RS256"),
    "ES256": new_key(ECKey, "P-256", "ES256"),
    "EdDSA": new_key(OKPKey, "Ed25519", "EdDSA"),
}


def jwks():
    return KeySet(list(KEYS.values())).as_dict(private=False)


def metadata(issuer):
    return {
        "userinfo_endpoint": f"{issuer}/userinfo",
        "end_session_endpoint": f"{issuer}/logout",
        "jwks_uri": f"{issuer}/jwks",
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(KEYS),
        "userinfo_signing_alg_values_supported": list(KEYS),
    }


def user_info(user, scope):
    claims = core.UserInfo(
        sub=user, name=NAMES[user], email=f"{user}@app.example", email_verified=True
    )
    return claims.filter(scope)


class IdTokens:
    """The ID tokens of the code flow and of a refresh, each with claims of UserInfo."""

    def __init__(self, issuer, codes, **settings):
        super().__init__(**settings)
        self.issuer = issuer
        self.codes = codes

    def resolve_client_private_key(self, client):
        return KEYS[self.get_client_algorithm(client)]

    def get_encode_header(self, client):
        algorithm = self.get_client_algorithm(client)
        return {"alg": algorithm, "kid": algorithm}

    def get_client_claims(self, client):
        return {"iss": self.issuer}

    def exists_nonce(self, nonce, request):
        asked = (request.payload.client_id, nonce)
        return any((code.client_id, code.nonce) == asked for code in self.codes.values())

    def generate_user_info(self, user, scope):
        return user_info(user, scope)


class CodeIdToken(IdTokens, core.OpenIDCode):
    pass


class RenewedIdToken(IdTokens, core.OpenIDToken):
    """Its `auth_time` is the time of the refresh, as Authlib has it by default."""


class UserInfo(core.UserInfoEndpoint):
    def __init__(self, issuer, **settings):
        super().__init__(**settings)
        self.issuer = issuer

    def get_issuer(self):
        return self.issuer

    def generate_user_info(self, user, scope):
        return user_info(user, scope)

    def get_supported_algorithms(self):
        return list(KEYS)

    def resolve_private_key(self):
        return KeySet(list(KEYS.values()))


class Logout(EndSessionEndpoint):
    def get_server_jwks(self):
        return KeySet(list(KEYS.values()))

    def get_algorithms(self):
        return list(KEYS)

    def end_session(self, end_session_request):
        session.clear()
