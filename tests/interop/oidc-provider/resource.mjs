// A protected resource that verifies access tokens, DPoP proofs (RFC 9449) and certificates
// (RFC 8705) itself, with node's own cryptography and nothing of the provider's.

import {
  constants, createHash, createPublicKey, randomBytes, verify,
} from 'node:crypto';
import { buffer } from 'node:stream/consumers';

/** Seconds for which a proof is new. */
const LIFETIME = 60;
/** Requests with proofs after which there is another nonce. */
const NONCE_USES = 3;
/** Nonces that are good beside the newest one: requests may be under way. */
const EARLIER_NONCES = 8;

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('base64url');

/** The `x5t#S256` of a certificate. */
export const thumbprint = (certificate) => sha256(certificate.raw);

class Refusal extends Error {
  constructor(error, description) {
    super(description);
    this.error = error;
  }
}

function demand(holds, description, error = 'invalid_token') {
  if (!holds) throw new Refusal(error, description);
}

const decode = (part) => JSON.parse(Buffer.from(part, 'base64url'));

/** The header and the claims of a JWT that this key has signed. */
function verified(jwt, jwkOf, algorithms, error) {
  const parts = jwt.split('.');
  demand(parts.length === 3, 'no JWT', error);
  const header = decode(parts[0]);
  demand(algorithms.includes(header.alg), `algorithm ${header.alg}`, error);
  const signature = Buffer.from(parts[2], 'base64url');
  const key = createPublicKey({ key: jwkOf(header), format: 'jwk' });
  const [algorithm, options] = {
    ES256: ['sha256', { dsaEncoding: 'ieee-p1363' }],
    PS256: ['sha256', { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }],
    EdDSA: [null, {}],
    Ed25519: [null, {}],
  }[header.alg];
  const isRight = verify(algorithm, `${parts[0]}.${parts[1]}`, { key, ...options }, signature);
  demand(isRight, 'wrong signature', error);
  return [header, decode(parts[1])];
}

/** The SHA-256 thumbprint of a JWK (RFC 7638). */
function jwkThumbprint(jwk) {
  const members = { EC: ['crv', 'kty', 'x', 'y'], OKP: ['crv', 'kty', 'x'], RSA: ['e', 'kty', 'n'] }[jwk.kty];
  return sha256(JSON.stringify(Object.fromEntries(members.map((name) => [name, jwk[name]]))));
}

export function resource({
  issuer, audience, key, origin, algorithms,
}) {
  const used = new Set();
  const nonces = []; // the newest one first
  let uses = NONCE_USES;
  const currentNonce = () => {
    if (uses >= NONCE_USES) {
      nonces.unshift(randomBytes(16).toString('base64url'));
      nonces.splice(EARLIER_NONCES + 1);
      uses = 0;
    }
    return nonces[0];
  };

  /** RFC 9449 section 7.1 and section 4.3. */
  function checkProof(request, token, jkt) {
    const proofs = request.headersDistinct.dpop ?? [];
    demand(proofs.length === 1, `${proofs.length} proofs`, 'invalid_dpop_proof');
    const invalid = (holds, description) => demand(holds, description, 'invalid_dpop_proof');
    const [header, claims] = verified(proofs[0], ({ jwk }) => jwk, algorithms, 'invalid_dpop_proof');
    invalid(header.typ === 'dpop+jwt', `type ${header.typ}`);
    invalid(!['d', 'p', 'q', 'k'].some((name) => name in header.jwk), 'a private key');
    invalid(claims.htm === request.method, `method ${claims.htm}`);
    const [path] = request.url.split('?', 1);
    invalid(claims.htu === `${origin}${path}`, `URL ${claims.htu}`);
    invalid(claims.ath === sha256(token), 'hash of another token');
    invalid(Math.abs(Date.now() / 1000 - claims.iat) < LIFETIME, 'time');
    invalid(typeof claims.jti === 'string' && claims.jti.length >= 16, 'short identifier');
    invalid(!used.has(claims.jti), 'the proof was used before');
    used.add(claims.jti);
    demand(jwkThumbprint(header.jwk) === jkt, 'the key of another token');
    demand(nonces.includes(claims.nonce), 'nonce', 'use_dpop_nonce');
    uses += 1;
  }

  function check(request) {
    const [, scheme, token] = /^(\S+) (\S+)$/.exec(request.headers.authorization ?? '') ?? [];
    demand(token, 'no token', '');
    const [header, claims] = verified(token, () => key, ['ES256']);
    demand(header.typ === 'at+jwt', `type ${header.typ}`);
    demand(claims.iss === issuer, `issuer ${claims.iss}`);
    demand(claims.aud === audience, `audience ${claims.aud}`);
    demand(claims.exp > Date.now() / 1000, 'expired');
    const certificate = request.socket.getPeerX509Certificate();
    const { jkt, 'x5t#S256': bound } = claims.cnf ?? {};
    if (bound !== undefined) {
      demand(certificate && bound === thumbprint(certificate), 'certificate');
    }
    if (jkt !== undefined) {
      // "Such a protected resource [...] MUST reject a DPoP-bound access token received as a bearer token".
      demand(scheme.toLowerCase() === 'dpop', `scheme ${scheme}`);
      checkProof(request, token, jkt);
    } else {
      demand(scheme.toLowerCase() === 'bearer', `scheme ${scheme}`);
    }
    return {
      client_id: claims.client_id,
      sub: claims.sub,
      scope: claims.scope ?? null,
      authorization_details: claims.authorization_details ?? null,
      sender: jkt !== undefined ? 'dpop' : bound !== undefined ? 'mtls' : null,
      certificate: certificate ? thumbprint(certificate) : null,
    };
  }

  return async (request, response) => {
    const { length } = await buffer(request);
    const answer = (status, body, headers = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(body));
    };
    try {
      const body = check(request);
      answer(200, { ...body, method: request.method, body_length: length }, { 'dpop-nonce': currentNonce() });
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) console.error(refusal);
      const { error = 'invalid_token', message } = refusal;
      const challenge = error === '' ? 'DPoP' : `DPoP error="${error}", algs="${algorithms.join(' ')}"`;
      answer(401, { error, message }, { 'www-authenticate': challenge, 'dpop-nonce': currentNonce() });
    }
  };
}
