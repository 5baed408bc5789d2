// A real provider behind TLS, set up for FAPI 2.0, and a protected API that verifies proofs and
// certificates itself. ../README.md says what it is for.
//
// Argument: the folder with ca.pem, clients.pem, server.pem and server.key.pem.

import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';

import Provider, { errors } from 'oidc-provider';

import { Adapter } from './adapter.mjs';
import { resource, thumbprint } from './resource.mjs';

// The provider prints notices; stdout is for the ready line alone.
globalThis.console = new console.Console(process.stderr);

const [, , folder] = process.argv;
const file = (name) => readFileSync(join(folder, name));
const TLS = { key: file('server.key.pem'), cert: file('server.pem') };

const SCOPE = 'reports:read reports:write';
const RESOURCE = 'urn:api';
const ALGS = ['PS256', 'ES256', 'EdDSA', 'Ed25519'];

const key = (alg, kind, options) => {
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg };
};
const KEYS = {
  keys: [
    key('PS256', 'rsa', { modulusLength: 2048 }),
    key('ES256', 'ec', { namedCurve: 'P-256' }),
    key('EdDSA', 'ed25519'),
    key('RS256', 'rsa', { modulusLength: 2048 }),
  ],
};

/** The certificate that the client has presented, on a connection where one is asked for. */
const presented = (ctx) => {
  const certificate = ctx.req.socket.getPeerX509Certificate?.();
  return certificate && new X509Certificate(certificate.raw);
};

// node names the attributes as OpenSSL does, one in a line, the first one first.
const subject = (certificate) => certificate.subject.split('\n').reverse().join(',');

const details = (text) => (text === undefined ? undefined : JSON.parse(text));

function configuration(aliases) {
  return {
    adapter: Adapter,
    jwks: KEYS,
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    cookies: { keys: ['interoperability tests'] },
    extraClientMetadata: { properties: ['fapi', 'for_userinfo'] },
    clockTolerance: 5,
    findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub, email: `${sub}@app.example` }) }),
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: false, // FAPI 2.0 section 5.3.2.1 forbids it
    clientDefaults: {
      id_token_signed_response_alg: 'PS256',
      authorization_signed_response_alg: 'PS256',
      introspection_signed_response_alg: 'PS256',
    },
    clientAuthMethods: ['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth', 'none', 'client_secret_basic'],
    responseTypes: ['code'],
    enabledJWA: {
      clientAuthSigningAlgValues: ALGS,
      idTokenSigningAlgValues: [...ALGS, 'RS256'],
      requestObjectSigningAlgValues: ALGS,
      userinfoSigningAlgValues: ALGS,
      introspectionSigningAlgValues: ALGS,
      authorizationSigningAlgValues: ALGS,
      dPoPSigningAlgValues: ALGS,
    },
    discovery: { mtls_endpoint_aliases: aliases },
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      devInteractions: { enabled: true },
      dPoP: {
        enabled: true,
        nonceSecret: randomBytes(32),
        requireNonce: () => true,
      },
      fapi: { enabled: true, profile: (ctx, client) => (client?.fapi ? '2.0' : undefined) },
      introspection: { enabled: true, allowedPolicy: () => true },
      jwtIntrospection: { enabled: true },
      jwtResponseModes: { enabled: true },
      jwtUserinfo: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        selfSignedTlsClientAuth: true,
        tlsClientAuth: true,
        getCertificate: presented,
        certificateAuthorized: (ctx) => ctx.req.socket.authorized,
        certificateSubjectMatches: (ctx, property, expected) => (
          property === 'tls_client_auth_subject_dn' && subject(presented(ctx)) === expected
        ),
      },
      pushedAuthorizationRequests: { enabled: true },
      requestObjects: { enabled: true },
      revocation: { enabled: true },
      richAuthorizationRequests: {
        enabled: true,
        types: { payment: { validate: () => {} } },
        authorizationDetailsForGrantSource: (ctx) => details(ctx.oidc.params.authorization_details),
        authorizationDetailsForAccessToken: (ctx, token, source) => source.rar,
        authorizationDetailsForIntrospection: (ctx, token) => token.rar,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: (ctx) => !ctx.oidc.client.for_userinfo,
        getResourceServerInfo(ctx, resource) {
          if (resource !== RESOURCE) throw new errors.InvalidTarget();
          return {
            scope: SCOPE, audience: RESOURCE, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } },
          };
        },
      },
    },
  };
}

async function addClient(metadata) {
  const complete = { grant_types: ['client_credentials'], ...metadata };
  complete.response_types ??= complete.grant_types.includes('authorization_code') ? ['code'] : [];
  complete.redirect_uris ??= [];
  await provider.Client.validate(complete);
  await new Adapter('Client').upsert(complete.client_id, complete);
  return complete;
}

// Requests for the endpoints that clients authenticate at, by path: on which port they came, and
// with which certificate.
const log = [];
const refusals = [];

const SWITCHES = {
  'POST /_test/client': async (ctx) => {
    try {
      const metadata = await addClient(await json(ctx.req));
      ctx.status = 201;
      return metadata;
    } catch (error) {
      return ctx.throw(400, error.error_description ?? error.message);
    }
  },
  'GET /_test/log': (ctx) => log.filter(({ client }) => client === ctx.query.client),
  'GET /_test/refusals': () => refusals,
  'GET /_test/api': () => ({ api: apiUrl }),
};

async function testSwitches(ctx, next) {
  const change = SWITCHES[`${ctx.method} ${ctx.path}`];
  if (!change) return next();
  ctx.body = await change(ctx);
}

/** Notes who has asked what, and how. */
async function requests(ctx, next) {
  await next();
  const client = ctx.oidc?.client?.clientId;
  const certificate = presented(ctx);
  if (client) {
    log.push({
      client,
      path: ctx.path,
      status: ctx.status,
      alias: ctx.req.socket.localPort === aliasPort,
      certificate: certificate ? thumbprint(certificate) : null,
      dpop: ctx.get('dpop') !== '',
    });
  }
}

async function listen(server) {
  server.keepAliveTimeout = 60_000; // the default of 5 s would close pooled connections under slow tests
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

// Certificates are asked for at the aliases and by the API, and nowhere else.
const ASKING = { ...TLS, ca: file('clients.pem'), requestCert: true, rejectUnauthorized: false };
const plain = createServer(TLS);
const alias = createServer(ASKING);
const api = createServer(ASKING);
const issuer = `https://localhost:${await listen(plain)}`;
const aliasPort = await listen(alias);
const apiUrl = `https://localhost:${await listen(api)}`;

const PATHS = {
  token_endpoint: '/token',
  introspection_endpoint: '/token/introspection',
  revocation_endpoint: '/token/revocation',
  userinfo_endpoint: '/me',
  pushed_authorization_request_endpoint: '/request',
  device_authorization_endpoint: '/device/auth',
};
const aliases = Object.fromEntries(
  Object.entries(PATHS).map(([name, path]) => [name, `https://localhost:${aliasPort}${path}`]),
);

const provider = new Provider(issuer, configuration(aliases));
provider.on('server_error', (ctx, error) => console.error(error));
for (const event of ['grant.error', 'pushed_authorization_request.error', 'authorization.error', 'userinfo.error']) {
  provider.on(event, (ctx, error) => {
    refusals.push(`${event}: ${error.error_detail ?? error.error_description ?? error.message}`);
  });
}
for (const middleware of [testSwitches, requests]) provider.use(middleware);
const callback = provider.callback();
plain.on('request', callback);
// "localhost:PORT" of the issuer: the endpoints are the same ones at both ports.
alias.on('request', callback);
const [{ alg, use, kid, kty, crv, x, y }] = KEYS.keys.filter((it) => it.alg === 'ES256');
api.on('request', resource({
  issuer, audience: RESOURCE, key: { alg, use, kid, kty, crv, x, y }, origin: apiUrl, algorithms: ALGS,
}));

const stop = () => process.exit();
process.on('SIGTERM', stop);
process.stdin.on('end', stop).on('close', stop).resume();
process.stdout.write(`${JSON.stringify({ issuer })}\n`);
