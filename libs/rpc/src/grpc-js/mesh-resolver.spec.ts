import * as grpc from '@grpc/grpc-js';
import { Cell, type Live } from '@holdfast/core';
import type { Instance } from '@holdfast/discovery/driver';
import { afterEach, describe, expect, it } from 'vitest';
import { echo, EchoServer } from '../testing/echo-server.js';
import { GrpcJsServer } from './grpc-js-server.js';
import { registerMeshResolver } from './mesh-resolver.js';

const closing: (() => unknown)[] = [];

async function server(name: string): Promise<Instance> {
  const started = await EchoServer.start((options) => new GrpcJsServer(options));
  started.does({ echo: () => ({ text: name, payload: new Uint8Array() }) });
  closing.push(() => started.server.drain(0));
  return { id: name, service: 'echo-service', host: '127.0.0.1', port: started.server.port, protocol: 'grpc' };
}

function client(instances: Live<readonly Instance[]>): grpc.Client {
  const options = registerMeshResolver({ watch: () => instances });
  const roundRobin = JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] });
  const made = new grpc.Client('mesh:echo-service', grpc.credentials.createInsecure(), {
    ...options,
    'grpc.service_config': roundRobin,
  });
  closing.push(() => made.close());
  return made;
}

function ask(from: grpc.Client): Promise<string> {
  const request = { text: '', payload: new Uint8Array() };
  return new Promise((resolve, reject) => {
    from.makeUnaryRequest(echo.path, echo.encodeRequest, echo.decodeResponse, request, (error, answer) =>
      error ? reject(error) : resolve(answer?.text ?? ''),
    );
  });
}

describe('registerMeshResolver', () => {
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });

  it('lets a stock client follow the instances', async () => {
    const [a, b] = [await server('a'), await server('b')];
    const instances = new Cell<readonly Instance[]>([a, b]);
    const stock = client(instances);
    await expect.poll(async () => new Set([await ask(stock), await ask(stock)]).size).toBe(2);
    instances.set([b]);
    await expect.poll(async () => new Set([await ask(stock), await ask(stock)])).toEqual(new Set(['b']));
  });

  it('fails calls with a sentence while there is no instance, also after there was one', async () => {
    const a = await server('a');
    const instances = new Cell<readonly Instance[]>([]);
    const stock = client(instances);
    const sentence = 'No instance of echo-service is available.';
    await expect(ask(stock)).rejects.toMatchObject({ code: 14, details: expect.stringContaining(sentence) });
    instances.set([a]);
    await expect.poll(() => ask(stock).catch(() => '')).toBe('a');
    instances.set([]);
    await expect(ask(stock)).rejects.toMatchObject({ code: 14, details: expect.stringContaining(sentence) });
  });

  it('keeps the sources of two containers apart', async () => {
    const [a, b] = [await server('a'), await server('b')];
    const [first, second] = [client(new Cell([a])), client(new Cell([b]))];
    for (let round = 0; round < 3; round++) expect([await ask(first), await ask(second)]).toEqual(['a', 'b']);
  });

  it('passes over instances that do not speak gRPC', async () => {
    const a = await server('a');
    const http: Instance = { ...a, id: 'web', port: 1, protocol: 'http' };
    const stock = client(new Cell([http, a]));
    for (let round = 0; round < 4; round++) expect(await ask(stock)).toBe('a');
  });

  it('tells a client that was not given the options', async () => {
    registerMeshResolver({ watch: () => new Cell([]) });
    const bare = new grpc.Client('mesh:echo-service', grpc.credentials.createInsecure());
    closing.push(() => bare.close());
    await expect(ask(bare)).rejects.toMatchObject({ details: expect.stringContaining('registerMeshResolver') });
  });

  it('stops to listen with the client', async () => {
    const instances = new Cell<readonly Instance[]>([await server('a')]);
    let listeners = 0;
    const counted: Live<readonly Instance[]> = {
      get value() {
        return instances.value;
      },
      subscribe(listener) {
        const unsubscribe = instances.subscribe(listener);
        listeners++;
        return () => {
          listeners--;
          unsubscribe();
        };
      },
    };
    const stock = client(counted);
    await ask(stock);
    expect(listeners).toBe(1);
    stock.close();
    expect(listeners).toBe(0);
  });
});
