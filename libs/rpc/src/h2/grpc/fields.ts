import { Code, ServiceError } from '@holdfast/core';
import type { Fields } from '../hpack/hpack-decoder.js';
import type { HpackEncoder } from '../hpack/hpack-encoder.js';
import type { Metadata } from '../../transport.js';

/** Fields of a connection, which mean nothing in HTTP/2 and are how requests are smuggled (RFC 9113 §8.2.2). */
const ofConnection = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);
/** Names that have been found well-formed; bounded, since a peer chooses them. */
const wellFormed = new Set<string>();
const maxWellFormed = 1_000;

/**
 * Whether a list of fields is what RFC 9113 §8.2 and §8.3 allow: pseudo-fields first, known and once; names in lower case;
 * nothing of a connection; no line breaks in values.
 * @param pseudo the pseudo-fields that may be there
 */
export function isWellFormed(fields: Fields, pseudo: readonly string[]): boolean {
  let seen = 0;
  let regular = false;
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!;
    if (name.charCodeAt(0) === 0x3a) {
      const bit = 1 << pseudo.indexOf(name);
      if (regular || !pseudo.includes(name) || (seen & bit) !== 0) return false;
      seen |= bit;
    } else {
      regular = true;
      if (!isName(name)) return false;
      if (name === 'te' && fields[at + 1] !== 'trailers') return false;
    }
    if (!isValue(fields[at + 1]!)) return false;
  }
  return true;
}

function isName(name: string): boolean {
  if (wellFormed.has(name)) return true;
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || ofConnection.has(name)) return false;
  if (wellFormed.size < maxWellFormed) wellFormed.add(name);
  return true;
}

/** RFC 9113 §8.2.1: no NUL, CR or LF, and no white space at either end. */
function isValue(value: string): boolean {
  const last = value.length - 1;
  if (last < 0) return true;
  const [first, final] = [value.charCodeAt(0), value.charCodeAt(last)];
  if (first === 0x20 || first === 0x09 || final === 0x20 || final === 0x09) return false;
  for (let at = 0; at <= last; at++) {
    const code = value.charCodeAt(at);
    if (code <= 0x0d && (code === 0 || code === 0x0a || code === 0x0d)) return false;
  }
  return true;
}

/** The first value of a field. */
export function valueOf(fields: Fields, name: string): string | undefined {
  for (let at = 0; at < fields.length; at += 2) if (fields[at] === name) return fields[at + 1];
  return undefined;
}

/** Fields that belong to HTTP and to gRPC itself, not to whoever calls or answers. */
const ofProtocol = new Set([
  ...['content-type', 'te', 'user-agent', 'date', 'grpc-timeout', 'grpc-encoding', 'grpc-accept-encoding'],
  ...['grpc-status', 'grpc-message', 'grpc-status-details-bin'],
]);

/**
 * Whether a field is of those who call or answer. HTTP allows more characters than gRPC does; fields with those are left
 * out, since grpc-js's metadata, which handlers get, throws on them.
 */
export function isMetadata(name: string, value: string): boolean {
  return !ofProtocol.has(name) && /^[0-9a-z_.-]+$/.test(name) && /^[ -~]*$/.test(value);
}

/** What the peer sent, without what belongs to the protocol. Values of a key that came more than once are joined by commas. */
export function metadataIn(fields: Fields): Metadata {
  const result: Record<string, string | Uint8Array> = {};
  for (let at = 0; at < fields.length; at += 2) {
    const [name, value] = [fields[at]!, fields[at + 1]!];
    if (!isMetadata(name, value)) continue;
    const before = result[name];
    if (name.endsWith('-bin')) result[name] = before ?? bytesIn(value)[0]!;
    else result[name] = before === undefined ? value : `${before as string}, ${value}`;
  }
  return result;
}

/** The values of a `-bin` field: several may have been joined on the way. */
export function bytesIn(value: string): readonly Buffer[] {
  return value.split(',').map((part) => Buffer.from(part.trim(), 'base64'));
}

const never = /^(?:authorization|proxy-authorization|cookie|set-cookie)$|token|secret|password|api-?key/;

/**
 * `metadata` as fields that can be sent. It is judged as a whole before any of it is written: half a header block would
 * leave the two ends with different tables.
 * @throws ServiceError INTERNAL for a key or value that cannot be a field
 */
export function sendable(metadata: Metadata): Fields {
  const fields: string[] = [];
  for (const key in metadata) {
    const value = metadata[key];
    if (value !== undefined) addSendable(fields, key, value);
  }
  return fields;
}

/** Adds one field of metadata to `fields`. @throws as {@link sendable} */
export function addSendable(fields: string[], key: string, value: string | Uint8Array): void {
  const name = key.toLowerCase();
  if (!isName(name)) throw new ServiceError(Code.INTERNAL, `"${key}" cannot be a key of metadata.`);
  if (name.endsWith('-bin')) {
    const bytes =
      typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.length);
    fields.push(name, bytes.toString('base64').replace(/=+$/, ''));
    return;
  }
  const text = typeof value === 'string' ? value : Buffer.from(value).toString('latin1');
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e)
      throw new ServiceError(Code.INTERNAL, `The metadata "${key}" is not printable ASCII.`);
  }
  fields.push(name, text.trim());
}

/** Writes fields of metadata to the block that `encoder` has begun. */
export function writeFields(encoder: HpackEncoder, fields: Fields): void {
  for (let at = 0; at < fields.length; at += 2) {
    const [name, value] = [fields[at]!, fields[at + 1]!];
    if (never.test(name)) encoder.secret(name, value);
    else encoder.varying(name, value);
  }
}
