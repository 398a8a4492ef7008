import type { Server } from 'node:http';
import { Cell } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { Admission } from './admission.js';
import { edgeServer } from './edge-server.js';
import { clientLimitSpec, edgeSpec } from './edge-spec.js';

describe('the server of an edge', () => {
  it('bounds how long a connection may be idle by one timer, within a request and between two', () => {
    const clock = new FakeClock();
    const limit = new Cell(clientLimitSpec.parse({}));
    const adapter = edgeServer({
      admission: new Admission({ limit, verifier: undefined, clock }),
      draining: () => false,
      trustProxy: undefined,
      spec: new Cell(edgeSpec.parse({})),
      seal: undefined,
      clock,
    });
    const { timeout, keepAliveTimeout } = adapter.getHttpServer() as Server;
    expect({ timeout, keepAliveTimeout }).toEqual({ timeout: 120_000, keepAliveTimeout: 0 });
  });
});
