import { existsSync } from 'node:fs';
import { link, mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { backendAvailable, withConsul, type Backend } from '@holdfast/testing';
import type { Registry } from './fleet.js';

/** Which instances the registry still speaks of, by their ids. */
export type Lie = (id: string) => boolean;

/** A registry that tells callers less than it knows, for as long as it is told to. */
export interface LyingRegistry extends Registry {
  /** Undefined for the truth. */
  lie(lie: Lie | undefined): Promise<void>;
}

/** Callers see the folder through a link, which for the lie leads to another folder with fewer of the same lease files. */
function lyingFolder(): LyingRegistry {
  let parent = '';
  const lead = async (to: string) => {
    await rm(join(parent, 'seen'), { force: true });
    await symlink(join(parent, to), join(parent, 'seen'));
  };
  return {
    kind: 'file',
    async open(folder) {
      parent = folder;
      await mkdir(join(folder, 'registry'));
      await lead('registry');
      return { url: `file:${join(folder, 'registry')}`, gatewayUrl: `file:${join(folder, 'seen')}` };
    },
    async lie(lie) {
      if (!lie) return lead('registry');
      const [registry, lies] = [join(parent, 'registry'), join(parent, 'lies')];
      await rm(lies, { recursive: true, force: true });
      await mkdir(lies);
      for (const file of await readdir(registry)) {
        const id = decodeURIComponent(file.replace(/^[^.]*\./, '').replace(/\.json$/, ''));
        // The very same file, heartbeats included.
        if (file.startsWith('user-service.') && lie(id)) await link(join(registry, file), join(lies, file));
      }
      await lead('lies');
    },
  };
}

const ask = (backend: Backend, request: IncomingMessage, path: string) =>
  httpRequest({
    host: '127.0.0.1',
    port: backend.address.split(':')[1],
    path,
    method: request.method,
    // A lie is told in plain text.
    headers: { ...request.headers, 'accept-encoding': 'identity' },
  });

/** Callers reach Consul through a proxy that leaves instances out of its answers, as access control gone wrong does. */
function lyingConsul(): LyingRegistry {
  let lie: Lie | undefined;
  const waiting = new Set<() => void>();

  /** Passes on what Consul says, less what the lie leaves out. */
  const tell = (answer: IncomingMessage, response: ServerResponse) => {
    const pieces: Buffer[] = [];
    answer.on('data', (piece: Buffer) => pieces.push(piece));
    answer.on('end', () => {
      const entries = JSON.parse(Buffer.concat(pieces).toString()) as { Service: { ID: string } }[];
      const told = lie ? entries.filter(({ Service }) => lie!(Service.ID)) : entries;
      response.writeHead(answer.statusCode!, {
        'content-type': 'application/json',
        'x-consul-index': answer.headers['x-consul-index'],
      });
      response.end(JSON.stringify(told));
    });
  };

  const serveHealth = (backend: Backend, request: IncomingMessage, response: ServerResponse) => {
    const asked = ask(backend, request, request.url!);
    const interrupt = () => {
      waiting.delete(interrupt);
      asked.destroy();
      // What waits is answered now: with the change that the lie is.
      const again = ask(backend, request, request.url!.replace(/&?(index|wait)=[^&]*/g, ''));
      again.on('response', (answer) => tell(answer, response)).on('error', () => response.destroy());
      again.end();
    };
    waiting.add(interrupt);
    asked.on('response', (answer) => {
      waiting.delete(interrupt);
      tell(answer, response);
    });
    asked.on('error', () => waiting.has(interrupt) && response.destroy());
    response.on('close', () => {
      waiting.delete(interrupt);
      asked.destroy();
    });
    asked.end();
  };

  return {
    kind: 'consul',
    async open() {
      const backend = await withConsul();
      const proxy = createServer((request, response) => {
        if (request.url!.includes('/health/service/user-service')) return serveHealth(backend, request, response);
        const asked = ask(backend, request, request.url!);
        asked.on('response', (answer) => {
          response.writeHead(answer.statusCode!, answer.headers);
          answer.pipe(response);
        });
        asked.on('error', () => response.destroy());
        request.pipe(asked);
      });
      proxy.listen(0, '127.0.0.1');
      await once(proxy, 'listening');
      proxy.unref();
      return { url: backend.url, gatewayUrl: `consul://127.0.0.1:${(proxy.address() as AddressInfo).port}`, backend };
    },
    async lie(next) {
      lie = next;
      for (const interrupt of [...waiting]) interrupt();
    },
  };
}

export const lyingRegistries: readonly (() => LyingRegistry)[] = backendAvailable('consul')
  ? [lyingFolder, lyingConsul]
  : [lyingFolder];

/** Takes entries away behind the backs of those who made them; they come back by themselves (promise 10). */
export async function dropEntries(
  fleet: { url: string; folder: string; backend: Backend | undefined },
  ids: readonly string[],
): Promise<void> {
  for (const id of ids) {
    if (fleet.backend) {
      const url = `http://${fleet.backend.address}/v1/agent/service/deregister/${id}`;
      await (await fetch(url, { method: 'PUT' })).arrayBuffer();
      continue;
    }
    const file = join(fleet.folder, 'registry', `user-service.${encodeURIComponent(id)}.json`);
    if (existsSync(file)) await rm(file, { force: true });
  }
}
