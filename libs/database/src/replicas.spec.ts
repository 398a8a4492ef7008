import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from './database.js';

const replicas = 5;
const namesEach = 100;
const namesShared = 50;

interface Report {
  readonly added: number;
  readonly taken: number;
  readonly errors: readonly string[];
  readonly elapsedMs: number;
  readonly longestMs: number;
}

/** What each process does: all at once it opens, migrates, and adds names of its own and names that all of them want. */
const program = `
  const { createViteServer } = await import(${JSON.stringify(import.meta.resolve('vitest/node'))});
  const [, , url, id] = process.argv;
  const conditions = ['@holdfast/source'];
  const server = await createViteServer({
    configFile: false, logLevel: 'error', appType: 'custom', root: ${JSON.stringify(fileURLToPath(new URL('..', import.meta.url)))},
    optimizeDeps: { noDiscovery: true }, server: { middlewareMode: true, watch: null, ws: false, hmr: false },
    resolve: { conditions }, ssr: { resolve: { conditions } },
  });
  const load = (path) => server.ssrLoadModule(path);
  const { openDatabase } = await load('/src/database.ts');
  const { migrate } = await load('/src/migrate.ts');
  const started = new Promise((resolve) => process.once('message', resolve));
  process.send('ready');
  await started;

  const report = { added: 0, taken: 0, errors: [], elapsedMs: 0, longestMs: 0 };
  const start = performance.now();
  try {
    const database = await openDatabase(url);
    await migrate(database, {
      '0001_users': {
        async up(schema) {
          await schema.schema.createTable('users').addColumn('name', 'text', (column) => column.primaryKey()).execute();
        },
      },
      '0002_first_user': {
        async up(users) {
          await users.insertInto('users').values({ name: 'first' }).execute();
        },
      },
    });
    const add = async (name) => {
      const before = performance.now();
      try {
        const insert = database.insertInto('users').values({ name }).onConflict((conflict) => conflict.doNothing());
        const { numInsertedOrUpdatedRows } = await insert.executeTakeFirstOrThrow();
        if (numInsertedOrUpdatedRows === 0n) report.taken++;
        else report.added++;
      } catch (error) {
        report.errors.push(String(error.stack));
      }
      report.longestMs = Math.max(report.longestMs, performance.now() - before);
    };
    for (let i = 0; i < ${namesEach}; i++) await add(id + '-' + i);
    await Promise.all(Array.from({ length: ${namesShared} }, (_, i) => add('shared-' + i)));
    await database.destroy();
  } catch (error) {
    report.errors.push(String(error.stack));
  }
  report.elapsedMs = performance.now() - start;
  process.send(report, () => process.exit(0));
`;

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

describe('replicas on one file', () => {
  let folder: string;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'database-'));
  });

  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it(`${replicas} of them start and write at the same moment, and no write is lost or refused`, async () => {
    const url = pathToFileURL(join(folder, 'users.db')).href;
    const script = join(folder, 'replica.mjs');
    await writeFile(script, program);
    for (let id = 0; id < replicas; id++) children.push(fork(script, [url, `replica${id}`]));
    await Promise.all(children.map((child) => once(child, 'message')));
    const reports = children.map((child) => once(child, 'message') as Promise<[Report]>);
    for (const child of children) child.send('go');
    const all = (await Promise.all(reports)).map(([report]) => report);

    expect(all.flatMap(({ errors }) => errors)).toEqual([]);
    expect(sum(all.map(({ added }) => added))).toBe(replicas * namesEach + namesShared);
    expect(sum(all.map(({ taken }) => taken))).toBe((replicas - 1) * namesShared);

    const database = await openDatabase<{ users: { name: string } }>(url);
    const { count } = await database
      .selectFrom('users')
      .select((query) => query.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    const applied = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(database);
    await database.destroy();
    expect(count).toBe(replicas * namesEach + namesShared + 1);
    expect(applied.rows.map(({ name }) => name)).toEqual(['0001_users', '0002_first_user']);

    const slowest = Math.max(...all.map(({ elapsedMs }) => elapsedMs));
    const longest = Math.max(...all.map(({ longestMs }) => longestMs));
    console.log(
      `${replicas} writers, ${count} users: ${slowest.toFixed(0)} ms in all, longest write ${longest.toFixed(0)} ms`,
    );
  }, 60_000);
});
