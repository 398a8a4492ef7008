import { Code, ServiceError } from '@holdfast/core';
import type { Instance } from '@holdfast/discovery';
import { describe, expect, it } from 'vitest';
import type { Health } from './balancer/prober.js';
import { healthProbe } from './health-probe.js';
import { ScriptedLink, ScriptedTransport } from './testing/scripted-transport.js';

const instance: Instance = { id: 'i', service: 'users', host: '127.0.0.1', port: 1, protocol: 'grpc' };

describe('whether an instance serves', () => {
  const ask = (health: Health | undefined) => {
    const transport = new (class extends ScriptedTransport {
      override connect(address: string): ScriptedLink {
        const link = super.connect(address);
        link.health.set(health);
        return link;
      }
    })();
    return healthProbe(transport)(instance, new AbortController().signal);
  };

  it.each([
    ['serving', true],
    ['failing', false],
    ['unknown', true],
    [undefined, true],
  ] as const)('that says %s: %s', async (health, serves) => {
    expect(await ask(health)).toBe(serves);
  });

  it('that does not answer: false', async () => {
    const transport = new ScriptedTransport();
    const connect = transport.connect.bind(transport);
    transport.connect = (address) =>
      Object.assign(connect(address), {
        unary: () => Promise.reject(new ServiceError(Code.UNAVAILABLE, 'nobody is there')),
      });
    expect(await healthProbe(transport)(instance, new AbortController().signal)).toBe(false);
  });
});
