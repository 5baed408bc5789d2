// Grants that the provider does not have by itself: token exchange, and JWT bearer by the assertion of a platform.

import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import { errors } from 'oidc-provider';

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

// With a key that only the platform has: no secret, and no "none".
const PLATFORM_ALGS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA', 'Ed25519'];

// Seconds. "The authorization server MAY reject JWTs with an "exp" claim value that is unreasonably far in the future."
const LONGEST = 3600;

const platforms = new Map(); // client id -> issuer -> key set

/** Trusts the assertions of a platform in requests of a client. */
export function trust(client, issuer, jwks) {
  if (!platforms.has(client)) platforms.set(client, new Map());
  platforms.get(client).set(issuer, createLocalJWKSet(jwks));
}

export function registerGrants(provider) {
  provider.registerGrantType(TOKEN_EXCHANGE, exchange, [
    'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'audience',
    'resource', 'scope',
  ], ['audience', 'resource']);
  provider.registerGrantType(JWT_BEARER, jwtBearer, ['assertion', 'scope']);
}

/**
 * Token exchange (RFC 8693) of access tokens: for a user, or for a client itself, perhaps with an actor. The new
 * token has no more scope than the subject's.
 */
async function exchange(ctx) {
  const { client, params, provider } = ctx.oidc;
  if (!params.subject_token) throw new errors.InvalidRequest('there is no subject_token');
  const types = [params.subject_token_type, params.requested_token_type ?? ACCESS_TOKEN];
  if (params.actor_token) types.push(params.actor_token_type);
  else if (params.actor_token_type) throw new errors.InvalidRequest('there is no actor_token');
  for (const type of types) {
    if (type !== ACCESS_TOKEN) throw new errors.InvalidRequest(`the token type ${type} is not supported`);
  }
  const subject = await issued(provider, params.subject_token);
  if (!subject) throw new errors.InvalidGrant('the subject token is not valid');
  const actor = params.actor_token && await issued(provider, params.actor_token);
  if (params.actor_token && !actor) throw new errors.InvalidGrant('the actor token is not valid');

  const granted = subject.scope?.split(' ') ?? [];
  for (const scope of params.scope?.split(' ') ?? []) {
    if (!granted.includes(scope)) throw new errors.InvalidScope('the subject token has less scope', scope);
  }
  const { AccessToken, ClientCredentials } = provider;
  const values = { client, scope: params.scope ?? subject.scope };
  const token = subject.accountId
    ? new AccessToken({ ...values, accountId: subject.accountId, gty: 'token_exchange' })
    : new ClientCredentials(values);
  ctx.oidc.entity(token.constructor.name, token);
  const value = await token.save();
  ctx.body = {
    access_token: value,
    issued_token_type: ACCESS_TOKEN,
    token_type: 'Bearer',
    expires_in: token.expiration,
    scope: token.scope,
    subject_client: subject.clientId,
    actor_client: actor?.clientId,
    audience: params.audience,
  };
}

async function issued({ AccessToken, ClientCredentials }, value) {
  return await AccessToken.find(value) ?? await ClientCredentials.find(value);
}

/** A token by the assertion of a platform (RFC 7523 section 2.1) about one of the provider's users. */
async function jwtBearer(ctx) {
  const { client, params, provider } = ctx.oidc;
  if (!params.assertion) throw new errors.InvalidRequest('there is no assertion');
  const { iss, sub, jti, exp } = await verified(params.assertion, client, provider, ctx.oidc.urlFor('token'));
  // "The authorization server MAY ensure that JWTs are not replayed by maintaining the set of used "jti" values"
  if (jti && !await provider.ReplayDetection.unique(`${client.clientId} ${iss}`, jti, exp)) {
    throw new errors.InvalidGrant('the assertion was used already');
  }
  const token = new provider.AccessToken({ client, accountId: sub, scope: params.scope, gty: 'jwt_bearer' });
  ctx.oidc.entity('AccessToken', token);
  const value = await token.save();
  ctx.body = { access_token: value, token_type: 'Bearer', expires_in: token.expiration, scope: token.scope };
}

/** The claims of an assertion that keeps all rules of RFC 7523 section 3. */
async function verified(assertion, client, provider, tokenEndpoint) {
  try {
    const { iss } = decodeJwt(assertion);
    const keys = platforms.get(client.clientId)?.get(iss);
    if (!keys) throw new Error('the issuer is not trusted');
    const { payload } = await jwtVerify(assertion, keys, {
      algorithms: PLATFORM_ALGS,
      issuer: iss,
      audience: [provider.issuer, tokenEndpoint],
      requiredClaims: ['iss', 'sub', 'aud', 'exp'],
    });
    if (payload.exp > Date.now() / 1000 + LONGEST) throw new Error('"exp" is too far in the future');
    return payload;
  } catch (error) {
    throw new errors.InvalidGrant(error.message);
  }
}
