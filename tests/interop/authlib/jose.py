# What joserfc makes of keys and tokens, for tests of our own JOSE. Nothing here is secret.

import warnings

from flask import Blueprint, request
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import import_key
from joserfc.jws import JWSRegistry

# Of short keys, and of EdDSA by that name (RFC 9864).
warnings.simplefilter("ignore", SecurityWarning)

ALGORITHMS = [
    "EdDSA",
    *(f"{kind}{size}" for kind in ("HS", "RS", "PS") for size in (256, 384, 512)),
]
ALGORITHMS += ["ES256", "ES384"]

blueprint = Blueprint("jose", __name__, url_prefix="/jose")


def registry(alg):
    # By default joserfc refuses headers that are not registered.
    allowing = JWSRegistry(algorithms=[alg], strict_check_header=False)
    allowing.max_header_length = 10_000  # its 512 octets hold no RSA key
    return allowing


@blueprint.post("/verify")
def verify():
    asked = request.get_json(force=True)
    key = import_key(asked["key"])
    token = jwt.decode(asked["token"], key, registry=registry(asked["alg"]))
    return {"header": token.header, "claims": token.claims}


@blueprint.post("/sign")
def sign():
    asked = request.get_json(force=True)
    alg, header = asked["alg"], {**asked.get("header", {}), "alg": asked["alg"]}
    key, claims = import_key(asked["key"]), asked["claims"]
    return {"token": jwt.encode(header, claims, key, registry=registry(alg), default_type=None)}


@blueprint.post("/thumbprint")
def thumbprint():
    return {"thumbprint": import_key(request.get_json(force=True)["key"]).thumbprint()}


@blueprint.errorhandler(Exception)
def refuse(error):
    return {"error": f"{type(error).__name__}: {error}"}, 400
