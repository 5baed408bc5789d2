# Makes jose.json, service_account.json and authorized_user.json, and checks rfc_jose.json.
#
# To run it, here: `python3 -m venv .venv`, `.venv/bin/pip install --require-hashes -r
# requirements.txt` and `.venv/bin/python jose.py`. Names and their order stay the same; keys and
# signatures are new each time. With `--check` it only verifies what the files already hold.
#
# Keys and signatures come from `cryptography` alone; joserfc, which knows JOSE, then has to
# accept every token and to refuse every forged one. Where it does not, `joserfc` says so.

import base64
import hashlib
import hmac
import json
import secrets
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID
from joserfc import jws, jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import import_key
from joserfc.jws import JWSRegistry

# Of short keys, and of EdDSA by that name.
warnings.simplefilter("ignore", SecurityWarning)

HERE = Path(__file__).parent
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
HMACS = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
RSA_ALGS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
SUPPORTED = ["HS256", "HS384", "HS512", *RSA_ALGS, "ES256", "ES384", "EdDSA"]
CURVES = {
    "P-256": (ec.SECP256R1(), "ES256", 32),
    "P-384": (ec.SECP384R1(), "ES384", 48),
    "P-521": (ec.SECP521R1(), "ES512", 66),
    "secp256k1": (ec.SECP256K1(), "ES256K", 32),
}
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def b64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64(octets):
    return base64.b64encode(octets).decode()


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def number(value, size=None):
    return b64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def der(tag, *contents):
    """One element of ASN.1, for the forms that `cryptography` does not write."""
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def der_content(element):
    """The content of the one element in these octets."""
    skipped = 2 if element[1] < 0x80 else 2 + (element[1] & 0x7F)
    return element[skipped:]


def pem(label, octets):
    text = b64(octets)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


# Keys.


def public_jwk(public):
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    if isinstance(public, ec.EllipticCurvePublicKey):
        numbers = public.public_numbers()
        (name, size), *_ = [
            (name, size)
            for name, (curve, _, size) in CURVES.items()
            if curve.name == public.curve.name
        ]
        x, y = number(numbers.x, size), number(numbers.y, size)
        return {"kty": "EC", "crv": name, "x": x, "y": y}
    name = type(public).__name__.removesuffix("PublicKey").lstrip("_")
    return {"kty": "OKP", "crv": name, "x": b64url(public.public_bytes_raw())}


def private_members(private):
    if isinstance(private, rsa.RSAPrivateKey):
        numbers = private.private_numbers()
        return {
            "d": number(numbers.d),
            "p": number(numbers.p),
            "q": number(numbers.q),
            "dp": number(numbers.dmp1),
            "dq": number(numbers.dmq1),
            "qi": number(numbers.iqmp),
        }
    if isinstance(private, ec.EllipticCurvePrivateKey):
        size = (private.curve.key_size + 7) // 8
        return {"d": number(private.private_numbers().private_value, size)}
    return {"d": b64url(private.private_bytes_raw())}


def thumbprint(jwk):
    """RFC 7638 section 3: the required members in lexicographic order, without whitespace."""
    required = {"RSA": "e kty n", "EC": "crv kty x y", "OKP": "crv kty x", "oct": "k kty"}
    members = {name: jwk[name] for name in required[jwk["kty"]].split()}
    return b64url(hashlib.sha256(compact(members).encode()).digest())


def certificate(private, version_1=False):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "oauth-twin vectors")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
    )
    if not version_1:
        constraints = x509.BasicConstraints(ca=False, path_length=None)
        builder = builder.add_extension(constraints, critical=True)
    hash_of = None if isinstance(private, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    signed = builder.sign(private, hash_of)
    if not version_1:
        return signed.public_bytes(Encoding.DER)
    # `cryptography` writes version 3 alone. Version 1 is the default, so the field is left out.
    fields = der_content(signed.tbs_certificate_bytes)
    version_3 = bytes.fromhex("a003020102")
    assert fields.startswith(version_3)
    to_sign = der(0x30, fields[len(version_3) :])
    sha256_with_rsa = bytes.fromhex("300d06092a864886f70d01010b0500")
    signature = private.sign(to_sign, padding.PKCS1v15(), hashes.SHA256())
    whole = der(0x30, to_sign, sha256_with_rsa, der(0x03, b"\0", signature))
    assert x509.load_der_x509_certificate(whole).version == x509.Version.v1
    return whole


def pkcs8_version_2(private, explicit):
    """RFC 5958 section 2, with the public key. Its tag is implicit; ring 0.16 wrote it explicit."""
    seed, public = private.private_bytes_raw(), private.public_key().public_bytes_raw()
    algorithm = bytes.fromhex("300506032b6570")
    version, key = bytes.fromhex("020101"), der(0x04, der(0x04, seed))
    bits = b"\0" + public
    field = der(0xA1, der(0x03, bits)) if explicit else der(0x81, bits)
    return der(0x30, version, algorithm, key, field)


def encode(private, form, encryption=None):
    return private.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


def describe(name, private, algs, why=None, certified=False, encrypted=False):
    """One of `keys`. `why` says what is wrong with a key that the library is to refuse."""
    public = private.public_key()
    jwk = public_jwk(public)
    kid = thumbprint(jwk)
    entry = {
        "name": name,
        "kty": jwk["kty"],
        "alg_family": "RSA" if jwk["kty"] == "RSA" else algs[0] if algs else None,
        "algs": algs,
        "supported": why is None,
        "why": why,
        "thumbprint_sha256": kid,
        "public_jwk": {**jwk, "kid": kid},
        "private_jwk": {**jwk, **private_members(private), "kid": kid},
    }

    def put(form, label, octets):
        entry[f"{form}_pem"] = pem(label, octets)
        entry[f"{form}_der"] = b64(octets)

    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    put("spki", "PUBLIC KEY", spki)
    pkcs8 = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    put("pkcs8", "PRIVATE KEY", pkcs8)
    if jwk["kty"] in ("RSA", "EC"):
        traditional = PrivateFormat.TraditionalOpenSSL
        octets = private.private_bytes(Encoding.DER, traditional, NoEncryption())
    if jwk["kty"] == "RSA":
        put("pkcs1", "RSA PRIVATE KEY", octets)
        pkcs1 = public.public_bytes(Encoding.DER, PublicFormat.PKCS1)
        put("pkcs1_public", "RSA PUBLIC KEY", pkcs1)
    if jwk["kty"] == "EC":
        put("sec1", "EC PRIVATE KEY", octets)
        # As `openssl ecparam -genkey` writes it: the curve's OID first. It is the last but the
        # key in the AlgorithmIdentifier of the public key.
        algorithm = der_content(spki)
        identifiers = der_content(algorithm[: 2 + algorithm[1]])
        curve = identifiers[2 + identifiers[1] :]
        entry["sec1_with_parameters_pem"] = pem("EC PARAMETERS", curve) + entry["sec1_pem"]
    if jwk.get("crv") == "Ed25519":
        put("pkcs8_v2", "PRIVATE KEY", pkcs8_version_2(private, explicit=False))
        put("pkcs8_v2_explicit", "PRIVATE KEY", pkcs8_version_2(private, explicit=True))
    if encrypted:
        password = BestAvailableEncryption(b"password")
        entry["encrypted_pkcs8_pem"] = encode(private, PrivateFormat.PKCS8, password)
        entry["encrypted_traditional_pem"] = encode(private, traditional, password)
    if certified:
        octets = certificate(private)
        put("certificate", "CERTIFICATE", octets)
        entry["x5t_s256"] = b64url(hashlib.sha256(octets).digest())
    if certified and jwk["kty"] == "RSA":
        octets = certificate(private, version_1=True)
        put("certificate_v1", "CERTIFICATE", octets)
        entry["x5t_s256_v1"] = b64url(hashlib.sha256(octets).digest())
    return entry


def describe_octets(name, octets, algs, why=None):
    jwk = {"kty": "oct", "k": b64url(octets)}
    kid = thumbprint(jwk)
    return {
        "name": name,
        "kty": "oct",
        "alg_family": "HMAC",
        "algs": algs,
        "supported": why is None,
        "why": why,
        "thumbprint_sha256": kid,
        "private_jwk": {**jwk, "kid": kid},
    }


def make_keys():
    """What signs, by name, and the list of their descriptions."""
    privates = {
        "rsa-2048": rsa.generate_private_key(65537, 2048),
        "rsa-3072": rsa.generate_private_key(65537, 3072),
        "rsa-4096": rsa.generate_private_key(65537, 4096),
        "rsa-2560": rsa.generate_private_key(65537, 2560),
        "rsa-2048-e3": rsa.generate_private_key(3, 2048),
        "rsa-1024": rsa.generate_private_key(65537, 1024),
        "p-256": ec.generate_private_key(ec.SECP256R1()),
        "p-384": ec.generate_private_key(ec.SECP384R1()),
        "p-521": ec.generate_private_key(ec.SECP521R1()),
        "secp256k1": ec.generate_private_key(ec.SECP256K1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
        "ed448": ed448.Ed448PrivateKey.generate(),
        "x25519": x25519.X25519PrivateKey.generate(),
        "oct-32": secrets.token_bytes(32),
        "oct-48": secrets.token_bytes(48),
        "oct-64": secrets.token_bytes(64),
        "oct-16": secrets.token_bytes(16),
    }
    unsupported = {
        "rsa-2048-e3": "public exponent 3: too small to sign with",
        "rsa-1024": "less than 2048 bits (RFC 7518 section 3.3)",
        "p-521": "ES512 is not supported",
        "secp256k1": "ES256K is not supported",
        "ed448": "Ed448 is not supported",
        "x25519": "for key agreement, not for signatures",
        "oct-16": "less than 32 octets (RFC 7518 section 3.2)",
    }
    algs = {
        "p-256": ["ES256"],
        "p-384": ["ES384"],
        "p-521": ["ES512"],
        "secp256k1": ["ES256K"],
        "ed25519": ["EdDSA"],
        "ed448": ["EdDSA"],
        "x25519": [],
        # RFC 7518 section 3.2: "A key of the same size as the hash output […] or larger MUST be
        # used with this algorithm."
        "oct-32": ["HS256"],
        "oct-48": ["HS256", "HS384"],
        "oct-64": ["HS256", "HS384", "HS512"],
        "oct-16": [],
    }
    keys = []
    for name, private in privates.items():
        of_key, why = algs.get(name, RSA_ALGS), unsupported.get(name)
        if isinstance(private, bytes):
            keys.append(describe_octets(name, private, of_key, why))
        else:
            certified = name in ("rsa-2048", "p-256", "p-384", "ed25519")
            encrypted = name in ("rsa-2048", "p-256")
            keys.append(describe(name, private, of_key, why, certified, encrypted))
    return privates, keys


# Signatures.


def signature(alg, key, octets):
    """Signs as RFC 7518 section 3 and RFC 8037 section 3.1 say, whatever the key is like."""
    family, bits = alg[:2], alg[2:5]
    if family == "HS":
        return hmac.new(key, octets, HMACS[bits]).digest()
    if family == "RS":
        return key.sign(octets, padding.PKCS1v15(), HASHES[bits])
    if family == "PS":
        salted = padding.PSS(padding.MGF1(HASHES[bits]), HASHES[bits].digest_size)
        return key.sign(octets, salted, HASHES[bits])
    if family == "ES":
        size = (key.curve.key_size + 7) // 8
        r, s = decode_dss_signature(key.sign(octets, ec.ECDSA(HASHES[bits])))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return key.sign(octets)


def assemble(header, payload, alg, key, signed_as=None):
    """A token of exactly these texts. `signed_as` replaces what is signed."""
    to_sign = f"{b64url(octets_of(header))}.{b64url(octets_of(payload))}"
    signed = signature(alg, key, (signed_as or to_sign).encode())
    return f"{to_sign}.{b64url(signed)}"


def octets_of(part):
    if isinstance(part, bytes):
        return part
    return (part if isinstance(part, str) else compact(part)).encode()


FAR = 4102444800  # the first second of 2100
CLAIMS = [
    {
        "iss": "https://issuer.example",
        "sub": "Zoë Ærøskøbing",
        "aud": "https://server.example/token",
        "exp": FAR,
        "nbf": 1577836800,
        "iat": 1577836800,
        "jti": "5f2c1d0e-0001",
        "emoji": "🔑 ключ 鍵",
    },
    {
        "iss": "client-1",
        "sub": "client-1",
        "aud": ["https://server.example", "https://server.example/token"],
        "exp": FAR + 0.5,
        "iat": 1577836800.25,
        "scope": "reports:read reports:write",
        "empty": "",
        "escaped": 'quote " backslash \\ slash / newline \n NUL \0 \u2028 🔑',
        "null": None,
        "cnf": {"jwk": {"kty": "oct", "k": "AA"}, "list": [1, -2, 3.5, True, [], {}]},
    },
]


def make_tokens(privates, keys):
    tokens = []
    for key in keys:
        if not key["supported"]:
            continue
        for alg in key["algs"]:
            headers = [
                {"alg": alg, "typ": "JWT", "kid": key["thumbprint_sha256"]},
                {"typ": "at+jwt", "cty": "é", "https://example.com/x": [1], "alg": alg},
            ]
            # The second in ASCII with escapes, and with spaces.
            payloads = [compact(CLAIMS[0]), json.dumps(CLAIMS[1])]
            for header, claims, payload in zip(headers, CLAIMS, payloads, strict=True):
                tokens.append(
                    {
                        "alg": alg,
                        "key": key["name"],
                        "token": assemble(header, payload, alg, privates[key["name"]]),
                        "header": header,
                        "claims": claims,
                        "deterministic": alg[:2] not in ("PS", "ES"),
                    }
                )
    return tokens


def make_forged(privates, keys):
    by_name = {key["name"]: key for key in keys}
    octets, rsa_key, ec_key, ed_key = (
        privates[name] for name in ("oct-64", "rsa-2048", "p-256", "ed25519")
    )
    claims = CLAIMS[0]
    forged = []

    def add(why, key, token):
        forged.append({"why": why, "key": key, "token": token})

    signers = [
        ("HS256", "oct-64", octets),
        ("RS256", "rsa-2048", rsa_key),
        ("PS256", "rsa-2048", rsa_key),
        ("ES256", "p-256", ec_key),
        ("EdDSA", "ed25519", ed_key),
    ]

    def good(alg, key, **header):
        return assemble({"alg": alg, **header}, claims, alg, key)

    # What holds for every algorithm.
    others = {
        "HS256": secrets.token_bytes(64),
        "RS256": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }
    others["PS256"] = others["RS256"]
    for alg, name, key in signers:
        header, payload, signed = good(alg, key).split(".")
        admin = b64url(compact({**claims, "sub": "admin"}).encode())
        spaced = b64url(f'{{"alg": "{alg}"}}'.encode())
        raw = unb64url(signed)
        flipped = bytes([raw[0] ^ 1]) + raw[1:]
        add(f"{alg}: changed payload", name, f"{header}.{admin}.{signed}")
        add(f"{alg}: changed header", name, f"{spaced}.{payload}.{signed}")
        add(f"{alg}: changed signature", name, f"{header}.{payload}.{b64url(flipped)}")
        add(f"{alg}: truncated signature", name, f"{header}.{payload}.{b64url(raw[:-1])}")
        add(f"{alg}: lengthened signature", name, f"{header}.{payload}.{b64url(raw + bytes(1))}")
        add(f"{alg}: signature of zeros", name, f"{header}.{payload}.{b64url(bytes(len(raw)))}")
        add(f"{alg}: empty signature", name, f"{header}.{payload}.")
        add(f"{alg}: signature by another key", name, good(alg, others[alg]))
        payload_alone = assemble({"alg": alg}, claims, alg, key, signed_as=payload)
        add(f"{alg}: signature over the payload alone", name, payload_alone)
        decoded = compact({"alg": alg}) + "." + compact(claims)
        unencoded = assemble({"alg": alg}, claims, alg, key, signed_as=decoded)
        add(f"{alg}: signature over the decoded header and payload", name, unencoded)

    # The header decides the algorithm.
    for none in ("none", "None", "nOnE", "NONE", ""):
        unsigned = f"{b64url(compact({'alg': none}).encode())}.{b64url(compact(claims).encode())}."
        signed = assemble({"alg": none}, claims, "HS256", octets)
        for name in ("oct-64", "rsa-2048", "p-256", "ed25519"):
            add(f"alg {none!r} without signature", name, unsigned)
        add(f"alg {none!r} with a signature", "oct-64", signed)
    for name in ("rsa-2048", "p-256", "ed25519"):
        key = by_name[name]
        confusions = {
            "PEM": key["spki_pem"].encode(),
            "PEM without its last newline": key["spki_pem"].strip().encode(),
            "DER": base64.b64decode(key["spki_der"]),
            "JWK": compact(key["public_jwk"]).encode(),
        }
        if name == "rsa-2048":
            confusions["PKCS#1 PEM"] = key["pkcs1_public_pem"].encode()
            confusions["PKCS#1 DER"] = base64.b64decode(key["pkcs1_public_der"])
            confusions["certificate"] = key["certificate_pem"].encode()
        if name == "ed25519":
            confusions["32 octets"] = unb64url(key["public_jwk"]["x"])
        for form, secret in confusions.items():
            add(f"HS256 by the public key's {form} as secret", name, good("HS256", secret))
        add("HS256 by an empty secret", name, good("HS256", b""))
    add("HS256 by an empty secret", "oct-64", good("HS256", b""))
    mismatches = [
        ("alg ES256 for an RSA key, signed with RS256", "rsa-2048", "ES256", "RS256", rsa_key),
        ("alg EdDSA for an RSA key, signed with RS256", "rsa-2048", "EdDSA", "RS256", rsa_key),
        ("alg RS256 for a P-256 key, signed with ES256", "p-256", "RS256", "ES256", ec_key),
        ("alg EdDSA for a P-256 key, signed with ES256", "p-256", "EdDSA", "ES256", ec_key),
        ("alg ES256 for an Ed25519 key, signed with EdDSA", "ed25519", "ES256", "EdDSA", ed_key),
        ("alg RS256 for a secret, signed with HS256", "oct-64", "RS256", "HS256", octets),
        ("alg RS256, signed with PS256", "rsa-2048", "RS256", "PS256", rsa_key),
        ("alg PS256, signed with RS256", "rsa-2048", "PS256", "RS256", rsa_key),
        ("alg RS512, signed with RS256", "rsa-2048", "RS512", "RS256", rsa_key),
        ("alg PS384, signed with PS256", "rsa-2048", "PS384", "PS256", rsa_key),
        ("alg HS512, signed with HS256", "oct-64", "HS512", "HS256", octets),
        ("alg ES384 for a P-256 key, signed with SHA-384", "p-256", "ES384", "ES384", ec_key),
        ("alg ES256 for a P-384 key", "p-384", "ES256", "ES256", privates["p-384"]),
        ("alg ES512 for a P-256 key", "p-256", "ES512", "ES512", ec_key),
        ("alg ES256 for a secp256k1 key", "secp256k1", "ES256", "ES256", privates["secp256k1"]),
        ("alg rs256 in lower case", "rsa-2048", "rs256", "RS256", rsa_key),
        ("alg HS256 with a space", "oct-64", "HS256 ", "HS256", octets),
        ("alg HS256 with a NUL", "oct-64", "HS256\0", "HS256", octets),
    ]
    for why, name, alg, signed_with, key in mismatches:
        add(why, name, assemble({"alg": alg}, claims, signed_with, key))

    # Forms of a signature.
    header, payload, signed = good("ES256", ec_key).split(".")
    start, raw = f"{header}.{payload}", unb64url(signed)
    in_der = ec_key.sign(start.encode(), ec.ECDSA(hashes.SHA256()))
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    order = P256_ORDER

    def pair(r, s, size=32):
        return b64url(r.to_bytes(size, "big") + s.to_bytes(size, "big"))

    add("ES256 signature in DER", "p-256", f"{start}.{b64url(in_der)}")
    add("ES256 signature with r and s of zero (CVE-2022-21449)", "p-256", f"{start}.{pair(0, 0)}")
    add("ES256 signature with r of zero", "p-256", f"{start}.{pair(0, s)}")
    add("ES256 signature with s of zero", "p-256", f"{start}.{pair(r, 0)}")
    add("ES256 signature with r and s of the order", "p-256", f"{start}.{pair(order, order)}")
    add("ES256 signature with r of one and s of one", "p-256", f"{start}.{pair(1, 1)}")
    add("ES256 signature of s before r", "p-256", f"{start}.{pair(s, r)}")
    add("ES256 signature with 33 octets each", "p-256", f"{start}.{pair(r, s, 33)}")
    add("ES256 signature of hexadecimal digits", "p-256", f"{start}.{b64url(raw.hex().encode())}")
    header, payload, signed = good("EdDSA", ed_key).split(".")
    start, raw = f"{header}.{payload}", unb64url(signed)
    identity = bytes([1]) + bytes(31)
    scalar = int.from_bytes(raw[32:], "little") + ED25519_ORDER
    larger = raw[:32] + scalar.to_bytes(32, "little")
    by_448 = privates["ed448"].sign(start.encode())
    add("EdDSA signature by Ed448 for an Ed25519 key", "ed25519", f"{start}.{b64url(by_448)}")
    add("EdDSA signature of low order", "ed25519", f"{start}.{b64url(identity + bytes(32))}")
    add("EdDSA signature with S beyond the order", "ed25519", f"{start}.{b64url(larger)}")
    header = b64url(compact({"alg": "PS256"}).encode())
    start = f"{header}.{payload}"
    for salt in (0, 20, 222):
        salted = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
        signed = rsa_key.sign(start.encode(), salted, hashes.SHA256())
        add(f"PS256 with a salt of {salt} octets", "rsa-2048", f"{start}.{b64url(signed)}")
    salted = padding.PSS(padding.MGF1(hashes.SHA1()), 32)
    signed = rsa_key.sign(start.encode(), salted, hashes.SHA256())
    add("PS256 with SHA-1 in MGF1", "rsa-2048", f"{start}.{b64url(signed)}")

    # Keys that the token brings along.
    for alg, name in (("RS256", "rsa-2048"), ("ES256", "p-256"), ("EdDSA", "ed25519")):
        other = others[alg]
        jwk = public_jwk(other.public_key())
        add(f"{alg}: embedded jwk of another key", name, good(alg, other, jwk=jwk))
        kid = by_name[name]["thumbprint_sha256"]
        named = good(alg, other, jwk={**jwk, "kid": kid}, kid=kid)
        add(f"{alg}: embedded jwk of another key with this key's kid", name, named)
        cert = b64(certificate(other))
        add(f"{alg}: x5c of another key", name, good(alg, other, x5c=[cert]))
        for member in ("jku", "x5u"):
            away = good(alg, other, kid="1", **{member: "https://attacker.example/keys"})
            add(f"{alg}: {member} of another key", name, away)
    embedded = good("HS256", others["HS256"], jwk={"kty": "oct", "k": b64url(others["HS256"])})
    add("HS256: embedded jwk of another key", "oct-64", embedded)
    add("HS256: embedded jwk of another key, for an RSA key", "rsa-2048", embedded)

    # `crit` (RFC 7515 section 4.1.11).
    for why, members in {
        "crit names an unknown extension": {"crit": ["urn:x"], "urn:x": 1},
        "crit is empty": {"crit": []},
        "crit names a header that is not there": {"crit": ["exp"]},
        "crit names a registered header": {"crit": ["alg"]},
        "crit names the same header twice": {"crit": ["urn:x", "urn:x"], "urn:x": 1},
        "crit is a string": {"crit": "urn:x", "urn:x": 1},
        "crit holds a number": {"crit": [1]},
        "crit is null": {"crit": None},
        "crit names b64, b64 is true (RFC 7797)": {"crit": ["b64"], "b64": True},
        "crit names b64, b64 is false, the payload is encoded": {"crit": ["b64"], "b64": False},
    }.items():
        add(why, "oct-64", good("HS256", octets, **members))
    header = b64url(compact({"alg": "HS256", "crit": ["b64"], "b64": False}).encode())
    start = f"{header}.{compact({'sub': 'admin'})}"
    signed = b64url(signature("HS256", octets, start.encode()))
    add("crit names b64, b64 is false, the payload is not encoded", "oct-64", f"{start}.{signed}")

    # Headers and payloads that are not what they should be, with a signature that is right.
    text = compact(claims)
    for why, header in {
        "duplicate alg": '{"alg":"HS256","alg":"HS256"}',
        "duplicate alg, the first is none": '{"alg":"none","alg":"HS256"}',
        "duplicate alg, the last is none": '{"alg":"HS256","alg":"none"}',
        "duplicate alg, one with an escape": '{"alg":"HS256","\\u0061lg":"HS256"}',
        "duplicate kid": '{"alg":"HS256","kid":"1","kid":"2"}',
        "duplicate member within the header": '{"alg":"HS256","x":{"y":1,"y":2}}',
        "no alg": "{}",
        "alg is null": '{"alg":null}',
        "alg is a number": '{"alg":256}',
        "alg is an array": '{"alg":["HS256"]}',
        "Alg in another case": '{"Alg":"HS256"}',
        "kid is a number": '{"alg":"HS256","kid":1}',
        "typ is a number": '{"alg":"HS256","typ":1}',
        "header is an array": '["HS256"]',
        "header is a string": '"HS256"',
        "header is null": "null",
        "header is empty": "",
        "header is not JSON": "alg=HS256",
        "header with something after it": '{"alg":"HS256"}{}',
        "header with a trailing comma": '{"alg":"HS256",}',
        "header with a byte order mark": '\ufeff{"alg":"HS256"}',
        "header is not UTF-8": b'{"alg":"HS256","x":"\xff"}',
        "header with a lone surrogate": '{"alg":"HS256","x":"\\ud800"}',
        "header nested a thousand times": '{"alg":"HS256","x":' + "[" * 1000 + "]" * 1000 + "}",
    }.items():
        add(why, "oct-64", assemble(header, text, "HS256", octets))
    for why, payload in {
        "duplicate claim": '{"sub":"alice","sub":"admin"}',
        "duplicate claim, one with an escape": '{"sub":"alice","s\\u0075b":"admin"}',
        "duplicate member within a claim": '{"cnf":{"kid":"1","kid":"2"}}',
        "payload is not JSON": "Payload",
        "payload is an array": '[{"sub":"alice"}]',
        "payload is a string": '"alice"',
        "payload is null": "null",
        "payload is empty": "",
        "payload with something after it": '{"sub":"alice"} x',
        "payload with NaN": '{"exp":NaN}',
        "payload with a byte order mark": '\ufeff{"sub":"alice"}',
        "payload is not UTF-8": b'{"sub":"\xff"}',
        "payload nested a thousand times": '{"x":' + "[" * 1000 + "]" * 1000 + "}",
    }.items():
        add(why, "oct-64", assemble('{"alg":"HS256"}', payload, "HS256", octets))

    # Spelling. Each signature is right for the parts as they are spelt, where it can be.
    def spelt(header, payload, change=lambda signed: signed):
        start = f"{header}.{payload}"
        return f"{start}.{change(b64url(signature('HS256', octets, start.encode())))}"

    header = b64url(b'{"alg":"HS256"}  ')  # 17 octets: one character of padding
    short = b64url(b'{"sub":"alice"}  ')
    header_bits, short_bits = header[:-1] + after(header[-1]), short[:-1] + after(short[-1])
    token = spelt(header, short)
    start, _, signed = token.rpartition(".")
    add("padding in the header", "oct-64", spelt(header + "=", short))
    add("padding in the payload", "oct-64", spelt(header, short + "="))
    add("padding in the signature", "oct-64", token + "=")
    add("trailing bits in the header", "oct-64", spelt(header_bits, short))
    add("trailing bits in the payload", "oct-64", spelt(header, short_bits))
    add("trailing bits in the signature", "oct-64", token[:-1] + after(token[-1]))
    while not ("-" in signed and "_" in signed):
        header, payload, signed = good("HS256", octets, n=secrets.token_hex(4)).split(".")
    standard = f"{header}.{payload}.{signed.translate(str.maketrans('-_', '+/'))}"
    add("standard base64 in the signature", "oct-64", standard)
    standard = b64(compact({"alg": "HS256", "x": "???>>>"}).encode()).rstrip("=")
    assert "/" in standard or "+" in standard
    add("standard base64 in the header", "oct-64", spelt(standard, short))
    standard = b64(compact({"sub": "???>>>"}).encode()).rstrip("=")
    assert "/" in standard or "+" in standard
    add("standard base64 in the payload", "oct-64", spelt(header, standard))
    header, payload, signed = token.split(".")
    for why, change in {
        "a space": lambda part: part[:4] + " " + part[4:],
        "a newline": lambda part: part[:4] + "\n" + part[4:],
        "a tab at its end": lambda part: part + "\t",
        "a NUL": lambda part: part[:4] + "\0" + part[4:],
        "a percent sign": lambda part: part[:4] + "%" + part[4:],
        "one character too many": lambda part: part + "AAAA"[: (1 - len(part)) % 4],
        "a letter that is not ASCII": lambda part: part[:4] + "é" + part[4:],
    }.items():
        add(f"{why} in the header", "oct-64", spelt(change(header), payload))
        add(f"{why} in the payload", "oct-64", spelt(header, change(payload)))
        add(f"{why} in the signature", "oct-64", spelt(header, payload, change))
    add("full-width full stops", "oct-64", token.replace(".", "．"))
    add("a space before", "oct-64", " " + token)
    add("a space after", "oct-64", token + " ")
    add("a newline after", "oct-64", token + "\n")
    add("a byte order mark before", "oct-64", "\ufeff" + token)
    add("`Bearer ` before", "oct-64", "Bearer " + token)
    add("quotation marks around", "oct-64", f'"{token}"')
    add("nothing", "oct-64", "")
    add("one part", "oct-64", header)
    add("two parts", "oct-64", f"{header}.{payload}")
    add("two dots alone", "oct-64", "..")
    add("a detached payload", "oct-64", f"{header}..{signed}")
    add("an empty header", "oct-64", spelt("", payload))
    add("a trailing dot", "oct-64", token + ".")
    add("a leading dot", "oct-64", "." + token)
    add("four parts", "oct-64", f"{token}.{signed}")
    sealed = [b64url(secrets.token_bytes(size)) for size in (12, 40, 16)]
    jwe = ".".join([b64url(compact({"alg": "dir", "enc": "A256GCM"}).encode()), "", *sealed])
    add("JWE of five parts", "oct-64", jwe)
    flattened = {"payload": payload, "protected": header, "signature": signed}
    add("flattened JSON serialization", "oct-64", compact(flattened))
    general = {"payload": payload, "signatures": [{"protected": header, "signature": signed}]}
    add("general JSON serialization", "oct-64", compact(general))
    return forged


def after(character):
    """The next character of base64url: another spelling, if it holds trailing bits of zero."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(character) + 1]


# What joserfc says.


def verify(token, jwk, algs):
    """Raises whatever joserfc raises."""
    # By default it refuses every header that is not registered, and most forged tokens for that.
    registry = JWSRegistry(algorithms=algs, strict_check_header=False)
    registry.max_header_length = 10_000  # its 512 octets hold no RSA key
    return jwt.decode(token, import_key(jwk), registry=registry)


def joserfc_accepts(token, jwk):
    try:
        verify(token, jwk, SUPPORTED)
    except Exception:  # it has many ways to refuse, RecursionError among them
        return False
    return True


def check(vectors):
    jwks = {key["name"]: key.get("public_jwk", key["private_jwk"]) for key in vectors["keys"]}
    for key in vectors["keys"]:
        jwk = key["private_jwk"]
        assert import_key(jwk).thumbprint() == key["thumbprint_sha256"] == jwk["kid"]
        for form in [form for form in key if form.endswith("_pem")]:
            if not form.startswith(("encrypted", "certificate", "pkcs8_v2", "sec1_with")):
                imported = import_key(key[form].encode(), jwk["kty"])
                assert imported.thumbprint() == key["thumbprint_sha256"], (key["name"], form)
        for form in ("certificate_der", "certificate_v1_der"):
            if form in key:
                cert = x509.load_der_x509_certificate(base64.b64decode(key[form]))
                cert.verify_directly_issued_by(cert)
                assert thumbprint(public_jwk(cert.public_key())) == key["thumbprint_sha256"]
    for token in vectors["tokens"]:
        decoded = verify(token["token"], jwks[token["key"]], [token["alg"]])
        assert decoded.header == token["header"] and decoded.claims == token["claims"], token
    for token in vectors["forged"]:
        accepted = joserfc_accepts(token["token"], jwks[token["key"]])
        assert token["joserfc"] == ("accepts" if accepted else "refuses"), token["why"]
    assert len({(token["why"], token["key"]) for token in vectors["forged"]}) == len(
        vectors["forged"]
    )


def check_rfc(vectors):
    for entry in vectors["signatures"]:
        header, payload, _ = map(unb64url, entry["token"].split("."))
        assert header.decode() == entry["header"] and payload.decode() == entry["payload"], entry
        assert json.loads(header).get("kid") == entry["kid"]
        if entry["key"]:
            key = import_key(entry["key"])
            jws.deserialize_compact(entry["token"], key, [entry["alg"]])
            if entry["deterministic"]:
                start, _, signed = entry["token"].rpartition(".")
                again = signature(entry["alg"], key.get_op_key("sign"), start.encode())
                assert b64url(again) == signed, entry["source"]
    for entry in vectors["request_objects"]:
        token = jws.deserialize_compact(entry["token"], import_key(entry["key"]), [entry["alg"]])
        assert token.payload.decode() == entry["payload"], entry
        assert unb64url(entry["token"].partition(".")[0]).decode() == entry["header"], entry
    for key in [entry["key"] for entry in vectors["keys"]] + [
        key for entry in vectors["sets"] for key in entry["jwks"]["keys"]
    ]:
        imported = import_key(key)
        if "d" in key:  # `d` belongs to the public members, and the primes to `n`
            private = imported.private_key
            assert public_jwk(private.public_key()).items() <= key.items()
            assert private_members(private).items() <= key.items()
    for entry in vectors["thumbprints"]:
        assert thumbprint(entry["key"]) == import_key(entry["key"]).thumbprint() == entry["sha256"]
    for entry in vectors["certificates"]:
        cert = x509.load_der_x509_certificate(base64.b64decode(entry["x5c"][0]))
        assert public_jwk(cert.public_key()).items() <= entry["key"].items()


def write(name, content):
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (HERE / name).write_text(text, encoding="utf-8")


def read(name):
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def make():
    privates, keys = make_keys()
    forged = make_forged(privates, keys)
    jwks = {key["name"]: key.get("public_jwk", key["private_jwk"]) for key in keys}
    for token in forged:
        accepted = joserfc_accepts(token["token"], jwks[token["key"]])
        token["joserfc"] = "accepts" if accepted else "refuses"
    write("jose.json", {"keys": keys, "tokens": make_tokens(privates, keys), "forged": forged})

    email = "reporter@oauth-twin-vectors.iam.gserviceaccount.com"
    service_account = {
        "type": "service_account",
        "project_id": "oauth-twin-vectors",
        "private_key_id": secrets.token_hex(20),
        "private_key": keys[0]["pkcs8_pem"],
        "client_email": email,
        "client_id": "100000000000000000001",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url": "https://www.googleapis.com/robot/v1/metadata/x509/"
        + email.replace("@", "%40"),
        "universe_domain": "googleapis.com",
    }
    write("service_account.json", service_account)
    authorized_user = {
        "account": "",
        "client_id": "100000000002-vectors.apps.googleusercontent.com",
        "client_secret": "throw-away client secret",
        "quota_project_id": "oauth-twin-vectors",
        "refresh_token": "1//0throw-away-refresh-token",
        "type": "authorized_user",
        "universe_domain": "googleapis.com",
    }
    write("authorized_user.json", authorized_user)


if __name__ == "__main__":
    if sys.argv[1:] != ["--check"]:
        make()
    check(read("jose.json"))
    check_rfc(read("rfc_jose.json"))
