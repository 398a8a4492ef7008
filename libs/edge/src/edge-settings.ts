import { isIP } from 'node:net';
import { z } from 'zod';

/** Enough for HMAC-SHA-256: RFC 7518, section 3.2, asks for a key as long as the hash. */
const SECRET_BYTES = 32;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

const list = (text: string) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

const secret = () =>
  z.string().refine((text) => Buffer.byteLength(text) >= SECRET_BYTES, `must have at least ${SECRET_BYTES} bytes`);

/** What the edge of a process needs to start: environment variables, since all of it is secret or about trust. */
export const edgeSettings = z.object({
  AUTH_JWKS_URL: z
    .string()
    .refine(isKeysUrl, 'must begin with https://, or with http:// on this machine')
    .optional()
    .describe(
      'Where the keys are that bearer tokens are signed with (a JWK set); needs AUTH_ISSUER and AUTH_AUDIENCE.',
    ),
  AUTH_JWT_SECRET: secret()
    .optional()
    .describe(
      'Key that bearer tokens are signed with by HS256, in place of AUTH_JWKS_URL. A secret: it is never logged.',
    ),
  AUTH_ISSUER: z.string().optional().describe('Who must have issued a bearer token, its iss.'),
  AUTH_AUDIENCE: z.string().optional().describe('For whom a bearer token must have been issued, its aud.'),
  IDENTITY_SECRET: secret()
    .optional()
    .describe(
      'Key by which the edge signs on whose behalf a call is made, and services check it; one for the whole mesh. A secret: it is never logged.',
    ),
  TRUST_PROXY: z
    .string()
    .transform(list)
    .refine((ranges) => ranges.every(isRange), 'must be addresses or ranges, such as 10.0.0.0/8, with commas between')
    .optional()
    .describe(
      'Proxies whose X-Forwarded-For is believed: addresses or ranges with commas between them; by default nobody’s.',
    ),
  CORS_ORIGINS: z
    .string()
    .transform(list)
    .refine(
      (origins) => origins.every(isOrigin),
      'must be origins, such as https://app.example.org, with commas between',
    )
    .optional()
    .describe('Web pages of other origins that may call, with commas between them; * for all. By default none.'),
});

export type EdgeSettings = z.infer<typeof edgeSettings>;

function isKeysUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && LOOPBACK.has(hostname));
}

function isRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

function isOrigin(text: string): boolean {
  return text === '*' || (URL.canParse(text) && new URL(text).origin === text);
}
