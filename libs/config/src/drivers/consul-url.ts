import { readFileSync } from 'node:fs';
import type { ConfigAddress } from './config-address.js';

/** What a `consul:` URL says. */
export interface ConsulSettings {
  /** Agents, in the order of preference. */
  readonly hosts: readonly ConsulHost[];
  readonly secure: boolean;
  /** PEM text of the authority that signed the agents' certificates; undefined for those that Node trusts. */
  readonly ca: string | undefined;
  readonly token: string | undefined;
  readonly dc: string | undefined;
  /** What every key begins with; empty for nothing. */
  readonly prefix: string;
}

export interface ConsulHost {
  readonly host: string;
  readonly port: number;
}

/** @throws StartupError with the part of the URL that cannot be used; never with the token */
export function readConsulUrl(address: ConfigAddress, token: string | undefined): ConsulSettings {
  const secure = address.scheme === 'consul+tls';
  const query = address.query('dc', 'token', 'ca');
  const parts = /^\/\/(?:([^@]*)@)?([^@/]+)(?:\/(.*))?$/s.exec(address.body);
  if (!parts) {
    throw address.wrong(`is not readable; write ${address.scheme}://host:port/prefix, or several hosts with commas`);
  }
  if (query.ca !== undefined && !secure) {
    throw address.wrong('has a ca without TLS; write consul+tls:// before the host');
  }
  const prefix = (parts[3] ?? '').replace(/\/+$/, '');
  if (prefix.startsWith('/')) throw address.wrong('has two slashes before its prefix; keys of Consul begin with none');
  return {
    hosts: (parts[2] ?? '').split(',').map((host) => hostOf(address, host.trim())),
    secure,
    ca: query.ca === undefined ? undefined : pem(address, query.ca),
    token: query.token ?? (parts[1] ? decoded(address, parts[1]) : undefined) ?? (token === '' ? undefined : token),
    dc: query.dc,
    prefix,
  };
}

function hostOf(address: ConfigAddress, text: string): ConsulHost {
  const parts = /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+)(?::(\d{1,5}))?$/.exec(text);
  const port = Number(parts?.[2] ?? 8500);
  if (!parts || port < 1 || port > 65_535) {
    throw address.wrong(`has the host "${text}"; write host:port, such as 127.0.0.1:8500`);
  }
  return { host: parts[1] ?? '', port };
}

function pem(address: ConfigAddress, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw address.wrong(`names a ca file that cannot be read (${code}); write ca=/path/to/ca.pem`);
  }
}

function decoded(address: ConfigAddress, token: string): string {
  try {
    return decodeURIComponent(token);
  } catch {
    throw address.wrong('has a token that is not encoded as a URL wants it; write % as %25, or pass the token apart');
  }
}
