import { eventually } from '@holdfast/testing';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterEach, beforeEach, expect, it } from 'vitest';

const beside = (file: string) => fileURLToPath(new URL(file, import.meta.url));

let folder: string;
let journal: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'app-process-'));
  journal = join(folder, 'journal');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A program that starts the fixture app through AppProcess, in a process of its own that a spec may kill. */
function writeHost(): string {
  const source = readFileSync(beside('./app-process.ts'), 'utf8');
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
  });
  writeFileSync(join(folder, 'app-process.mjs'), outputText);
  const command = { label: 'app', script: beside('./fixtures/app.mjs'), env: { LABEL: 'app', JOURNAL: journal } };
  const host = join(folder, 'host.mjs');
  writeFileSync(
    host,
    `import { AppProcess } from './app-process.mjs';
     const clock = { now: () => 0, after: () => ({ cancel() {} }) };
     new AppProcess(${JSON.stringify(command)}, { clock, startMs: 1000, onLine() {} });`,
  );
  return host;
}

const journalled = (what: string) => existsSync(journal) && readFileSync(journal, 'utf8').includes(`app ${what} `);

it('ends the app when the process that started it is killed', async () => {
  const host = spawn(process.execPath, [writeHost()], { stdio: 'ignore' });
  const ended = new Promise((resolve) => host.once('exit', resolve));
  await eventually(() => journalled('ready'));
  host.kill('SIGKILL');
  await ended;
  await eventually(() => journalled('orphaned'));
  expect(journalled('draining')).toBe(false);
});

it('keeps a signal to the group of the supervisor, as Ctrl-C sends one, away from the app', async () => {
  const host = spawn(process.execPath, [writeHost()], { stdio: 'ignore', detached: true });
  const ended = new Promise((resolve) => host.once('exit', resolve));
  await eventually(() => journalled('ready'));
  process.kill(-host.pid!, 'SIGTERM');
  await ended;
  await eventually(() => journalled('orphaned'));
  expect(journalled('draining')).toBe(false);
});
