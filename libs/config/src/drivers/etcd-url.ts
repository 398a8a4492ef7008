import { readFileSync } from 'node:fs';
import type { ConfigAddress } from './config-address.js';

/** What an `etcd:` URL says. */
export interface EtcdSettings {
  /** `host:port` of the members, in the order of preference. */
  readonly hosts: readonly string[];
  /** PEM texts; undefined without TLS. */
  readonly tls: EtcdTls | undefined;
  readonly login: EtcdLogin | undefined;
  /** What every key begins with; empty for nothing. */
  readonly prefix: string;
}

export interface EtcdTls {
  /** The authority that signed the members' certificates; undefined for those that Node trusts. */
  readonly ca: Buffer | undefined;
  /** This process's own certificate and its key, where the members ask for one. */
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

export interface EtcdLogin {
  /** The user's. */
  readonly name: string;
  readonly password: string;
}

/**
 * @param password where the URL has only a user
 * @throws StartupError with the part of the URL that cannot be used; never with the password
 */
export function readEtcdUrl(address: ConfigAddress, password: string | undefined): EtcdSettings {
  const secure = address.scheme === 'etcds';
  const query = address.query('ca', 'cert', 'key');
  const parts = /^\/\/(?:([^@]*)@)?([^@/]+)(?:\/(.*))?$/s.exec(address.body);
  if (!parts) {
    throw address.wrong(`is not readable; write ${address.scheme}://host:port/prefix, or several hosts with commas`);
  }
  if (!secure && Object.keys(query).length > 0) {
    throw address.wrong('has certificates without TLS; write etcds:// before the host');
  }
  if ((query.cert === undefined) !== (query.key === undefined)) {
    throw address.wrong('has a cert without its key, or a key without its cert; give both');
  }
  const pem = (name: 'ca' | 'cert' | 'key') =>
    query[name] === undefined ? undefined : read(address, name, query[name]);
  return {
    hosts: (parts[2] ?? '').split(',').map((host) => hostOf(address, host.trim())),
    tls: secure ? { ca: pem('ca'), cert: pem('cert'), key: pem('key') } : undefined,
    login: parts[1] ? loginOf(address, parts[1], password) : undefined,
    prefix: (parts[3] ?? '').replace(/\/+$/, ''),
  };
}

function hostOf(address: ConfigAddress, text: string): string {
  const parts = /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+)(?::(\d{1,5}))?$/.exec(text);
  const port = Number(parts?.[2] ?? 2379);
  if (!parts || port < 1 || port > 65_535) {
    throw address.wrong(`has the host "${text}"; write host:port, such as 127.0.0.1:2379`);
  }
  return `${parts[1]}:${port}`;
}

function loginOf(address: ConfigAddress, text: string, password: string | undefined): EtcdLogin {
  const [name = '', own] = text.split(/:(.*)/s).map((part) => decoded(address, part));
  const given = own ?? password;
  if (name === '' || given === undefined || given === '') {
    throw address.wrong('has a user without a password, or the reverse; write user:password@ or set ETCD_PASSWORD');
  }
  return { name, password: given };
}

function decoded(address: ConfigAddress, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw address.wrong('has a user or password that is not encoded as a URL wants it; write % as %25');
  }
}

function read(address: ConfigAddress, name: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw address.wrong(`names a ${name} file that cannot be read (${code}); write ${name}=/path/to/${name}.pem`);
  }
}
