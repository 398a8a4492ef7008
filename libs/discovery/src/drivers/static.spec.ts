import { StartupError } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { openRegistry } from '../registry-url.js';
import { describeRegistryDriver } from '../testing/driver-contract.js';
import { StaticDriver } from './static.js';

describeRegistryDriver('static', { readOnly: true }, () =>
  Promise.resolve({
    open: (options) => Promise.resolve(new StaticDriver(new Map(), options)),
  }),
);

const open = (url: string) => openRegistry(url, { clock: new FakeClock(), random: Math.random });
const signal = new AbortController().signal;

describe('a static registry', () => {
  it('reads services, addresses and protocols from its URL', async () => {
    const driver = await open('static:users=127.0.0.1:5001, 127.0.0.1:5002; web=http://localhost:80,grpc://[::1]:81;');
    const read = async (service: string) => (await driver.read(service, undefined, signal)).instances;
    expect(await read('users')).toEqual([
      { id: 'users@127.0.0.1:5001', service: 'users', host: '127.0.0.1', port: 5001, protocol: 'grpc' },
      { id: 'users@127.0.0.1:5002', service: 'users', host: '127.0.0.1', port: 5002, protocol: 'grpc' },
    ]);
    expect(await read('web')).toEqual([
      { id: 'web@localhost:80', service: 'web', host: 'localhost', port: 80, protocol: 'http' },
      { id: 'web@[::1]:81', service: 'web', host: '::1', port: 81, protocol: 'grpc' },
    ]);
    expect(await read('user')).toEqual([]);
    await driver.close();
  });

  it('has one virtual address for every service that is not named', async () => {
    const driver = await open('static:users=127.0.0.1:5001;*={service}.apps.svc:50051');
    const read = async (service: string) => (await driver.read(service, undefined, signal)).instances;
    expect(await read('users')).toMatchObject([{ host: '127.0.0.1' }]);
    expect(await read('orders')).toEqual([
      { id: 'orders@orders.apps.svc:50051', service: 'orders', host: 'orders.apps.svc', port: 50051, protocol: 'grpc' },
    ]);
    await driver.close();
  });

  it.each([
    ['static:*=h:1', 'must have {service} in the addresses of *, and only there: *={service}:50051.'],
    ['static:users={service}:1', 'must have {service} in the addresses of *, and only there: *={service}:50051.'],
    ['static:', 'names no service; write static:users=127.0.0.1:5001,127.0.0.1:5002.'],
    ['static:users', 'has no addresses for users; write users=host:port,host:port.'],
    ['static:users=', 'has the address "" for users; write host:port, such as 127.0.0.1:5001.'],
    ['static:users=127.0.0.1', 'has the address "127.0.0.1" for users; write host:port, such as 127.0.0.1:5001.'],
    ['static:users=h:0', 'has the address "h:0" for users; write host:port, such as 127.0.0.1:5001.'],
    ['static:users=h:70000', 'has the address "h:70000" for users; write host:port, such as 127.0.0.1:5001.'],
    ['static:users=h:1,h:1', 'has the address h:1 twice for users; write it once.'],
    ['static:users=h:1;users=h:2', 'names users twice; put all of its addresses into one list.'],
    ['static:Users=h:1', 'has a service named "Users"; use lower-case letters, digits and dashes.'],
    ['static:users=h:1?x=1', 'has an unknown parameter "x"; it takes none.'],
  ])('refuses %s', async (url, problem) => {
    const refused = open(url);
    await expect(refused).rejects.toThrow(`REGISTRY_URL "${url}" ${problem}`);
    await expect(refused).rejects.toBeInstanceOf(StartupError);
  });
});
