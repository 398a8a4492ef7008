import { get } from 'node:http';
import { once } from 'node:events';
import { eventually, Mesh } from '@holdfast/testing';
import type { RunningService } from '@holdfast/service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppModule as Gateway } from '../apps/gateway/src/app.module.js';

const TOKEN = 'the token of this spec';

describe('the live page on the admin port', () => {
  let mesh: Mesh;
  let open: RunningService;
  let readOnly: RunningService;

  beforeAll(async () => {
    mesh = await Mesh.open();
    const start = (env: Record<string, string>) => mesh.start(Gateway, { name: 'gateway', http: true, env });
    [open, readOnly] = await Promise.all([start({ ADMIN_TOKEN: TOKEN }), start({})]);
  });
  afterAll(() => mesh[Symbol.asyncDispose]());

  const act = (service: RunningService, body: object, headers: Record<string, string> = {}) =>
    fetch(`${service.admin}/actions/force`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: {
        'content-type': 'application/json',
        'x-holdfast-action': '1',
        authorization: `Bearer ${TOKEN}`,
        ...headers,
      },
    });

  it('is one document under a policy that lets nothing else in', async () => {
    const response = await fetch(`${readOnly.admin}/`);
    expect(response.status).toBe(200);
    const { headers } = response;
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'sha256-[^ ]+';/);
    expect([headers.get('cache-control'), headers.get('x-content-type-options')]).toEqual(['no-store', 'nosniff']);
    expect(await response.text()).toContain('<title>Holdfast</title>');
  });

  it('is not shown under a stranger’s name, whose page could read it then', async () => {
    const { hostname, port } = new URL(readOnly.admin);
    for (const path of ['/', '/live', '/actions/settings']) {
      const request = get({ hostname, port, path, headers: { host: 'evil.example' } });
      const [response] = (await once(request, 'response')) as [{ statusCode: number; resume(): void }];
      response.resume();
      expect(response.statusCode).toBe(403);
    }
  });

  it('streams what is there: first at once, then every second', async () => {
    const left = new AbortController();
    const response = await fetch(`${open.admin}/live`, { signal: left.signal });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.split('event: state').length > 2 && text.includes('event: news')) break;
    }
    const state = JSON.parse(/event: state\ndata: (.*)\n/.exec(text)![1]!) as Record<string, unknown>;
    expect(state).toMatchObject({ phase: 'ready', operable: true, self: { id: open.self.id }, methodCount: 2 });
    expect(text).toContain(`"kind":"serving","subject":"${open.self.id}"`);
    expect(text).not.toContain(TOKEN);
  });

  it('acts for who has the token alone, and says why not', async () => {
    const order = { method: 'users.get', state: 'open' };
    expect((await act(open, order)).status).toBe(200);
    const answer = await fetch(`${open.http}/users/alice`);
    expect(await answer.text()).toContain('default');
    expect((await act(open, { ...order, state: 'auto' })).status).toBe(200);

    const refused = [
      [await act(readOnly, order), 403, 'READ_ONLY'],
      [await act(open, order, { authorization: 'Bearer something else' }), 401, 'UNAUTHENTICATED'],
      [await act(open, order, { origin: 'http://evil.example' }), 403, 'FOREIGN'],
      [await act(open, { method: 'nothing', state: 'open' }), 404, 'NOT_FOUND'],
      [await act(open, { method: 'users.get', state: 'ajar' }), 400, 'INVALID_ARGUMENT'],
    ] as const;
    for (const [response, status, reason] of refused) {
      expect(response.headers.get('content-type')).toContain('application/problem+json');
      expect(await response.json()).toMatchObject({ status, reason, detail: expect.stringMatching(/\.$/) as string });
      expect(response.status).toBe(status);
    }
  });

  it('keeps no process from stopping while it is watched', async () => {
    const response = await fetch(`${open.admin}/live`);
    const reader = response.body!.getReader();
    await reader.read();
    const stopped = open.stop();
    await eventually(async () => (await reader.read()).done);
    await stopped;
    expect(open.lifecycle.phase.value).toBe('stopped');
  });
});
