import { inspect } from 'node:util';
import { StartupError } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { readConsulUrl } from './drivers/consul-url.js';
import { RegistryAddress } from './drivers/registry-address.js';
import { openRegistry } from './registry-url.js';

const read = (url: string, token?: string) => readConsulUrl(new RegistryAddress(url), token);

describe('a Consul URL', () => {
  const deps = { clock: new FakeClock(), random: Math.random };

  it('is read in full', () => {
    expect(read('consul://a%2Fb@one:1,[::1]:2,three?dc=eu&prefix=team-&check=ttl', 'outer')).toEqual({
      hosts: [
        { host: 'one', port: 1 },
        { host: '[::1]', port: 2 },
        { host: 'three', port: 8500 },
      ],
      secure: false,
      ca: undefined,
      token: 'a/b',
      dc: 'eu',
      prefix: 'team-',
      check: 'ttl',
    });
    expect(read('consul+tls://one?token=t').token).toBe('t');
    expect(read('consul+tls://one').secure).toBe(true);
    expect(read('consul://one', 'outer').token).toBe('outer');
    expect(read('consul://one', '').token).toBeUndefined();
  });

  it.each([
    ['consul:127.0.0.1:8500', 'is not readable; write consul://host:port, or several hosts with commas.'],
    ['consul://', 'is not readable; write consul://host:port, or several hosts with commas.'],
    ['consul://h:8500/v1', 'is not readable; write consul://host:port, or several hosts with commas.'],
    ['consul://h:8500,', 'has the host ""; write host:port, such as 127.0.0.1:8500.'],
    ['consul://h:port', 'has the host "h:port"; write host:port, such as 127.0.0.1:8500.'],
    ['consul://h:99999', 'has the host "h:99999"; write host:port, such as 127.0.0.1:8500.'],
    ['consul://h?stale=1', 'has an unknown parameter "stale"; use dc, token, prefix, check, ca.'],
    ['consul://h?dc=a&dc=b', 'has the parameter "dc" twice; give it once.'],
    ['consul://h?check=tcp', 'has an unknown check "tcp"; use grpc, http, ttl.'],
    ['consul://h?prefix=a/b', 'has a prefix that is not of letters, digits and dashes; write prefix=team-a-.'],
    ['consul://h?ca=/x', 'has a ca without TLS; write consul+tls:// before the host.'],
    ['consul+tls://h?ca=/no/such', 'names a ca file that cannot be read (ENOENT); write ca=/path/to/ca.pem.'],
  ])('%s is refused', async (url, problem) => {
    const refused = openRegistry(url, deps);
    await expect(refused).rejects.toThrow(`REGISTRY_URL "${url}" ${problem}`);
    await expect(refused).rejects.toBeInstanceOf(StartupError);
  });

  it.each([
    [
      'foo://x',
      'REGISTRY_URL "foo://x" has an unknown scheme; use file:, consul://, k8s:, dns://, static: or memory:.',
    ],
    ['', 'REGISTRY_URL "" has no scheme; use file:, consul://, k8s:, dns://, static: or memory:.'],
    ['localhost', 'REGISTRY_URL "localhost" has no scheme; use file:, consul://, k8s:, dns://, static: or memory:.'],
    [
      'toString:',
      'REGISTRY_URL "toString:" has an unknown scheme; use file:, consul://, k8s:, dns://, static: or memory:.',
    ],
    ['memory:a/b', 'REGISTRY_URL "memory:a/b" has a name that is not of letters'],
  ])('"%s" is refused as well', async (url, message) => {
    await expect(openRegistry(url, deps)).rejects.toThrow(message);
  });

  it.each([
    'consul://s3cret@h:port',
    'consul://user:s3cret@h?x=1',
    'consul://h?token=s3cret&x=1',
    'consul://h?dc=1&TOKEN=s3cret',
    'consul://s3%cret@h',
    'consul://s3cret@@h',
    'foo:s3cret@x',
  ])('%s is refused without its secret', async (url) => {
    const error: unknown = await openRegistry(url, deps).catch((problem: unknown) => problem);
    expect(error).toBeInstanceOf(StartupError);
    expect(inspect(error)).not.toMatch(/s3%?cret/);
  });
});
