// An OpenID provider on loopback: `node provider.mjs PORT`, its private JWK set on stdin.
// Anybody may sign in, under any name.
import { readFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';

const port = Number(process.argv[2]);
const device = 'urn:ietf:params:oauth:grant-type:device_code';
const client = (id, alg, more = {}) => ({
  client_id: id,
  id_token_signed_response_alg: alg,
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  redirect_uris: ['http://127.0.0.1/oauth/callback'],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token', device],
  ...more,
});

new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    client('RS256', 'RS256'),
    client('PS256', 'PS256'),
    client('ES256', 'ES256'),
    client('browser-alone', 'RS256', { grant_types: ['authorization_code'] }),
  ],
  jwks: JSON.parse(readFileSync(0)),
  claims: { openid: ['sub', 'aws_roles'] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, aws_roles: ['arn:aws:iam::111122223333:role/Independent'] }),
  }),
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256'] },
  features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true } },
  pkce: { required: () => true },
  cookies: { keys: ['of no secret'] },
  ttl: {
    AccessToken: 300, AuthorizationCode: 60, DeviceCode: 600, Grant: 3600, IdToken: 300,
    Interaction: 600, RefreshToken: 3600, Session: 3600,
  },
}).listen(port, '127.0.0.1');
