import { hash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';

const OK = 200;
const NOT_MODIFIED = 304;

/**
 * Gives every answer to GET and HEAD that is held as a whole an `ETag`, and answers `If-None-Match` with 304 where it still is the
 * same. The tag is weak, since compression gives the same content other bytes. By RFC 9110, sections 8.8.3 and 13.1.2.
 */
export function addEtags(fastify: FastifyInstance): void {
  fastify.addHook('onSend', (request, reply, payload, done) => {
    const { method } = request;
    if (reply.statusCode !== OK || (method !== 'GET' && method !== 'HEAD')) return done();
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return done();
    if (reply.getHeader('cache-control') === 'no-store') return done();
    let tag = reply.getHeader('etag');
    if (tag === undefined) {
      tag = `W/"${hash('sha1', payload, 'base64')}"`;
      reply.header('etag', tag);
    }
    const known = request.headers['if-none-match'];
    if (known === undefined || !matches(known, String(tag))) return done();
    reply.code(NOT_MODIFIED).removeHeader('content-length').removeHeader('content-type');
    done(null, '');
  });
}

function matches(known: string, tag: string): boolean {
  if (known.trim() === '*') return true;
  const opaque = opaqueOf(tag);
  return known.split(',').some((one) => opaqueOf(one.trim()) === opaque);
}

function opaqueOf(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}
