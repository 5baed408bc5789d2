// A real OAuth provider, a protected API and test switches on one port of the loopback.
// ../README.md says what each client and switch is for.

import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { unescape } from 'node:querystring';
import { buffer, json, text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

import Provider, { errors } from 'oidc-provider';

import { Adapter, remove } from './adapter.mjs';
import { registerGrants, trust } from './grants.mjs';

// The provider prints notices; stdout is for the ready line alone.
globalThis.console = new console.Console(process.stderr);

const SCOPE = 'reports:read reports:write';
const DEFAULT_RESOURCE = 'urn:api';
const ANY_RESOURCE = 'https://api.example/';

// The defaults are without SHA-384 and SHA-512.
const CLIENT_AUTH_ALGS = [
  ...['HS', 'RS', 'PS'].flatMap((kind) => [256, 384, 512].map((size) => `${kind}${size}`)),
  'ES256', 'ES384', 'EdDSA', 'Ed25519',
];

// The defaults are without PS256 and EdDSA for the first, and without all but RS256 for the second.
const ID_TOKEN_ALGS = ['RS256', 'PS256', 'ES256', 'EdDSA'];

// The token that permits to register clients at a provider that demands one.
const INITIAL_ACCESS_TOKEN = 'initial-access-token';

// Every printable ASCII character that is neither letter nor digit, after what would change if
// it were decoded twice. The provider permits no more: RFC 6749 appendix A ends at printable ASCII.
const ODD = "%41+%2B !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

const CLIENTS = [
  { client_id: 'basic', client_secret: 'basic-secret' },
  { client_id: 'post', client_secret: 'post-secret', token_endpoint_auth_method: 'client_secret_post' },
  { client_id: 'short', client_secret: 'short-secret', access_token_ttl: 3 },
  { client_id: `odd ${ODD}`, client_secret: `odd-secret ${ODD}` },
  {
    client_id: `odd-post ${ODD}`,
    client_secret: `odd-post-secret ${ODD}`,
    token_endpoint_auth_method: 'client_secret_post',
  },
  {
    client_id: 'public',
    application_type: 'native', // so that any port of the loopback redirect will do (RFC 8252 section 7.3)
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: ['http://127.0.0.1/callback'],
  },
  {
    client_id: 'web',
    client_secret: 'web-secret',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: ['https://app.example/callback'],
  },
];

/** New keys, one for each algorithm. */
function jwks() {
  const key = (alg, kind, options) => {
    const { privateKey } = generateKeyPairSync(kind, options);
    return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig' };
  };
  return {
    keys: [
      key('RS256', 'rsa', { modulusLength: 2048 }),
      key('PS256', 'rsa', { modulusLength: 2048 }),
      key('ES256', 'ec', { namedCurve: 'P-256' }),
      key('EdDSA', 'ed25519'),
    ],
  };
}

const claimsOf = (sub) => ({
  sub, name: `${sub} of Wonderland`, email: `${sub}@app.example`, email_verified: true,
});

function configuration({ initialAccessToken = false } = {}) {
  const accessTokenTtl = (ctx, token, client) => client.access_token_ttl ?? 600;
  return {
    adapter: Adapter,
    jwks: jwks(),
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
    cookies: { keys: ['interoperability tests'] },
    extraClientMetadata: {
      properties: ['access_token_ttl'],
      validator(ctx, name, value) {
        if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
          throw new errors.InvalidClientMetadata(`${name} must be a positive number of seconds`);
        }
      },
    },
    ttl: { AccessToken: accessTokenTtl, ClientCredentials: accessTokenTtl },
    enabledJWA: {
      clientAuthSigningAlgValues: CLIENT_AUTH_ALGS,
      idTokenSigningAlgValues: ID_TOKEN_ALGS,
      userinfoSigningAlgValues: ID_TOKEN_ALGS,
    },
    clockTolerance: 0, // or tokens would be taken for 15 s past their end
    findAccount: (ctx, sub) => ({ accountId: sub, claims: () => claimsOf(sub) }),
    // The defaults want `offline_access` for the first and rotate only public clients' for the second.
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      devInteractions: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      jwtUserinfo: { enabled: true },
      registration: { enabled: true, initialAccessToken: initialAccessToken && INITIAL_ACCESS_TOKEN },
      registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx, client, oneOf) => oneOf ?? DEFAULT_RESOURCE,
        getResourceServerInfo(ctx, resource) {
          if (resource !== DEFAULT_RESOURCE && !resource.startsWith(ANY_RESOURCE)) throw new errors.InvalidTarget();
          // Opaque, because the provider introspects and revokes nothing else.
          return { scope: SCOPE, audience: resource, accessTokenFormat: 'opaque' };
        },
      },
    },
  };
}

async function addClient(metadata) {
  const complete = { grant_types: ['client_credentials'], ...metadata };
  complete.response_types ??= complete.grant_types.includes('authorization_code') ? ['code'] : [];
  complete.redirect_uris ??= [];
  await first.provider.Client.validate(complete);
  await new Adapter('Client').upsert(complete.client_id, complete);
  return complete;
}

// What the switches set, keyed by client id; the key `null` stands for every client.
const counts = new Map(); // client id -> grant type -> { ok, error }
const delays = new Map(); // milliseconds
const failures = new Map(); // { next, status }
const refusals = new Map(); // the provider's reasons, which it does not tell clients

/** Counts, delays and fails token requests. The provider's own answers pass unchanged. */
async function tokenRequests(ctx, next) {
  if (ctx.method !== 'POST' || ctx.path !== first.provider.pathFor('token')) return next();

  // Read here, because the client has to be known before the provider acts: a request that is to
  // fail must not use up a code or a refresh token. The provider takes `req.body` instead.
  ctx.req.body = await text(ctx.req);
  const form = new URLSearchParams(ctx.req.body);
  const client = claimedClient(ctx.get('authorization'), form);

  const status = takeFailure(client) ?? takeFailure(null);
  if (status) {
    ctx.status = status;
    ctx.body = 'failed by a test switch';
    if (status === 429 || status === 503) ctx.set('Retry-After', '0');
  } else {
    await next();
  }
  count(client, form.get('grant_type') ?? '', ctx.status === 200 ? 'ok' : 'error');

  const delay = delays.get(client) ?? delays.get(null);
  if (delay) await sleep(delay);
}

function claimedClient(authorization, form) {
  const [, credentials] = /^basic (.+)$/i.exec(authorization) ?? [];
  if (!credentials) return form.get('client_id') ?? assertedClient(form.get('client_assertion')) ?? '';
  const [id] = Buffer.from(credentials, 'base64').toString().split(':', 1);
  return unescape(id.replaceAll('+', ' '));
}

/** The client in an assertion (RFC 7523), whoever signed it. */
function assertedClient(assertion) {
  try {
    const { sub } = JSON.parse(Buffer.from(assertion.split('.')[1], 'base64url'));
    return typeof sub === 'string' ? sub : undefined;
  } catch {
    return undefined;
  }
}

function takeFailure(key) {
  const failure = failures.get(key);
  if (!failure?.next) return undefined;
  failure.next -= 1;
  return failure.status;
}

function count(client, grantType, outcome) {
  if (!counts.has(client)) counts.set(client, new Map());
  const grants = counts.get(client);
  if (!grants.has(grantType)) grants.set(grantType, { ok: 0, error: 0 });
  grants.get(grantType)[outcome] += 1;
}

function total(clients) {
  const sum = { __proto__: null }; // the grant types are the clients' own words
  for (const [grantType, { ok, error }] of clients.flatMap((client) => [...(counts.get(client) ?? [])])) {
    sum[grantType] ??= { ok: 0, error: 0 };
    sum[grantType].ok += ok;
    sum[grantType].error += error;
  }
  return sum;
}

const SWITCHES = {
  'POST /_test/provider': async (ctx) => {
    const { issuer } = await start({ initialAccessToken: ctx.query.initial_access_token !== undefined });
    ctx.status = 201;
    return { issuer };
  },
  'POST /_test/restart': (ctx) => { providers.get(ctx.host).restart(); },
  'GET /_test/counts': (ctx, client) => {
    if (client !== null) return total([client]);
    const everyone = [...counts.keys()];
    return { ...total(everyone), by_client: Object.fromEntries(everyone.map((id) => [id, total([id])])) };
  },
  'POST /_test/reset': (ctx, client) => {
    for (const switched of [counts, delays, failures, refusals]) client === null ? switched.clear() : switched.delete(client);
  },
  'GET /_test/refusals': (ctx, client) => client === null ? [...refusals.values()].flat() : refusals.get(client) ?? [],
  'POST /_test/delay': (ctx, client) => { delays.set(client, wholeNumber(ctx, 'ms')); },
  'POST /_test/fail': (ctx, client) => {
    const status = wholeNumber(ctx, 'status');
    if (status < 400 || status > 599) ctx.throw(400, 'status must be that of an error');
    failures.set(client, { next: wholeNumber(ctx, 'next'), status });
  },
  'POST /_test/revoke_all': (ctx, client) => {
    for (const model of ['AccessToken', 'ClientCredentials']) {
      remove(new Adapter(model).table, (token) => client === null || token.clientId === client);
    }
  },
  'POST /_test/platform': async (ctx, client) => {
    const { issuer, jwks } = await json(ctx.req);
    trust(client, issuer, jwks);
  },
  'POST /_test/client': async (ctx) => {
    try {
      const metadata = await addClient(await json(ctx.req));
      ctx.status = 201;
      return metadata;
    } catch (error) {
      return ctx.throw(400, error.error_description ?? error.message);
    }
  },
};

async function testSwitches(ctx, next) {
  const change = SWITCHES[`${ctx.method} ${ctx.path}`];
  if (!change) return next();
  const answer = await change(ctx, ctx.query.client ?? null);
  if (answer) ctx.body = answer;
  else ctx.status = 204;
}

function wholeNumber(ctx, name) {
  if (!/^\d{1,9}$/.test(ctx.query[name])) ctx.throw(400, `${name} must be a whole number`);
  return Number(ctx.query[name]);
}

/** The protected resource. */
async function api(ctx, next) {
  if (ctx.path !== '/api/me' || !['GET', 'POST'].includes(ctx.method)) return next();
  const { length } = await buffer(ctx.req);
  const [, value] = /^bearer +(\S+)$/i.exec(ctx.get('authorization')) ?? [];
  const { AccessToken, ClientCredentials } = first.provider;
  const token = await AccessToken.find(value) ?? await ClientCredentials.find(value);
  if (!token) {
    ctx.status = 401;
    // RFC 6750 section 3.1: no error code for a request that carries no token.
    ctx.set('WWW-Authenticate', value ? 'Bearer error="invalid_token"' : 'Bearer');
    return;
  }
  ctx.body = {
    client_id: token.clientId,
    sub: token.accountId ?? null,
    scope: token.scope ?? null,
    aud: token.aud ?? null,
    method: ctx.method,
    body_length: length,
  };
}

const providers = new Map(); // host and port -> provider

/** Starts a provider on a port of its own. A restart gives it new keys, and nothing else is lost. */
async function start(demands) {
  // The issuer names the port, so the port comes first.
  const server = createServer();
  server.keepAliveTimeout = 60_000; // the default of 5 s would close pooled connections under slow tests
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${server.address().port}`;
  const started = { issuer: `http://${host}` };
  let callback;
  started.restart = () => {
    started.provider = newProvider(started.issuer, demands);
    callback = started.provider.callback();
  };
  started.restart();
  server.on('request', (request, response) => callback(request, response));
  providers.set(host, started);
  return started;
}

function newProvider(issuer, demands) {
  const provider = new Provider(issuer, configuration(demands));
  registerGrants(provider);
  provider.on('server_error', (ctx, error) => console.error(error));
  provider.on('grant.error', (ctx, error) => {
    const client = claimedClient(ctx.get('authorization'), new URLSearchParams(ctx.req.body));
    refusals.set(client, [...(refusals.get(client) ?? []), error.error_detail ?? error.error_description]);
  });
  for (const middleware of [testSwitches, api, tokenRequests]) provider.use(middleware);
  return provider;
}

const first = await start();
for (const client of CLIENTS) await addClient(client);

const stop = () => process.exit();
process.on('SIGTERM', stop);
process.stdin.on('end', stop).on('close', stop).resume(); // a pipe may be cut off without an end, a file does not close
process.stdout.write(`${JSON.stringify({ issuer: first.issuer })}\n`);
