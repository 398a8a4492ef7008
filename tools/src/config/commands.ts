import { readFile } from 'node:fs/promises';
import { StartupError, type Clock } from '@holdfast/core';
import {
  ConfigEditor,
  ConfigWatch,
  KeyGuide,
  refusal,
  type ConfigDriver,
  type Proposal,
  type Written,
} from '@holdfast/config';
import { demandsOf, services } from './app-demands.js';
import { historyLines, shown, textLines, valueLines, viewLines } from './lines.js';
import type { Command, ConfigOptions } from './options.js';

export interface CommandDeps {
  /** The stores, the strongest last. */
  readonly drivers: readonly ConfigDriver[];
  /** Who changes something: `user@host`. */
  readonly by: string;
  readonly clock: Clock;
  /** Prints one line. */
  readonly say: (line: string) => void;
  /** Prints one line beside the answer, such as that a store is down. */
  readonly warn: (line: string) => void;
  /** Aborts when the operator has seen enough. */
  readonly interrupted: AbortSignal;
}

type Wanted<V extends Command['verb']> = Extract<Command, { readonly verb: V }>;

/**
 * Does what the operator asked for.
 * @throws StartupError or EditError with one sentence where it cannot be done; nothing was written then, unless it says otherwise
 */
export async function run({ command, json, dryRun }: ConfigOptions, deps: CommandDeps): Promise<void> {
  if (command.verb === 'help') return;
  if (command.verb === 'watch') return watch(command, json, deps);
  const { service } = command;
  const editor = new ConfigEditor(service, await demandsOf(service), deps.drivers, deps);
  const tell = (answer: object, lines: () => readonly string[]) => {
    if (json) deps.say(JSON.stringify({ service, ...answer }, mapsAsObjects));
    else for (const line of lines()) deps.say(line);
  };
  const tellEdit = (answer: Proposal | Written, dry: boolean) => {
    tell({ ...answer, dryRun: dry }, () => editLines(editor, service, answer, dry));
  };
  switch (command.verb) {
    case 'get':
      return get(editor, command, tell);
    case 'set':
    case 'unset': {
      const edits = 'edits' in command ? command.edits : await documentIn(command.file);
      return tellEdit(dryRun ? accepted(await editor.propose(edits)) : await editor.write(edits), dryRun);
    }
    case 'diff':
      if ('file' in command) return tellEdit(accepted(await editor.propose(await documentIn(command.file))), true);
      return diff(editor, command.revisions, tell);
    case 'history': {
      const revisions = await editor.history();
      return tell({ revisions }, () => (revisions.length > 0 ? historyLines(revisions) : ['Nothing was changed yet.']));
    }
    case 'rollback': {
      const { revision } = command;
      if (dryRun) return tellEdit(accepted(await editor.proposeRollback(revision)), true);
      return tellEdit(await editor.rollback(revision), false);
    }
  }
}

type Tell = (answer: object, lines: () => readonly string[]) => void;

async function get(editor: ConfigEditor, { key }: Wanted<'get'>, tell: Tell): Promise<void> {
  if (key !== undefined && !editor.guide.knows(key)) {
    throw new StartupError(
      `${editor.guide
        .strangerReason(key)
        .replace(/^t/, 'T')
        .replace(/(?<!\?)$/, '.')}`,
    );
  }
  const view = await editor.show();
  if (key === undefined) return tell(view, () => viewLines(editor.guide, view));
  const values = view.values.filter((value) => value.key === key || value.key.startsWith(`${key}.`));
  // One value is what scripts ask for: no key, and no source.
  const [only] = values;
  const alone = only === undefined || (values.length === 1 && only.key === key);
  tell({ values }, () =>
    alone ? [shown(editor.guide, only)] : viewLines(editor.guide, { values, strangers: [], problems: [] }),
  );
}

async function diff(editor: ConfigEditor, revisions: readonly number[], tell: Tell): Promise<void> {
  const [from, to] = revisions;
  if (from !== undefined) {
    const texts = await editor.compare(from, to);
    return tell({ texts }, () => (texts.size > 0 ? textLines(texts) : ['Nothing differs.']));
  }
  const values = await editor.showChanges();
  tell({ values }, () => (values.length > 0 ? valueLines(editor.guide, values) : ['The stores change nothing.']));
}

async function watch({ service }: Wanted<'watch'>, json: boolean, deps: CommandDeps): Promise<void> {
  const followed = service === undefined ? services : [service];
  const time = () => new Date(deps.clock.wallTime()).toISOString();
  const watches: ConfigWatch[] = [];
  for (const name of followed) {
    const demands = await demandsOf(name);
    const guide = new KeyGuide(demands);
    watches.push(
      new ConfigWatch(name, demands, deps.drivers, {
        clock: deps.clock,
        onNotice: (sentence) => deps.warn(`${time()}  ${name}  ${sentence}`),
        onChange: ({ key, before, after }) => {
          const change = `${key}  ${shown(guide, before)} → ${shown(guide, after)}  ${after?.from ?? ''}`;
          if (json) deps.say(JSON.stringify({ at: time(), service: name, key, before, after }));
          else deps.say(`${time()}  ${name}  ${change}`.trimEnd());
        },
      }),
    );
  }
  if (!deps.interrupted.aborted) {
    await new Promise((resolve) => deps.interrupted.addEventListener('abort', resolve, { once: true }));
  }
  await Promise.all(watches.map((one) => one.close()));
}

function editLines(editor: ConfigEditor, service: string, answer: Proposal | Written, dry: boolean): readonly string[] {
  if (answer.texts.size === 0) return ['Nothing would change, so nothing is written.'];
  const changes = answer.values.length > 0 ? valueLines(editor.guide, answer.values) : textLines(answer.texts);
  return [
    `${service}, in ${answer.store}:`,
    ...changes,
    ...(answer.values.length > 0 ? [] : ['No value that is in use changes.']),
    'revision' in answer && !dry
      ? `Written as revision ${answer.revision}.`
      : 'This is a dry run: nothing was written.',
  ];
}

async function documentIn(file: string): Promise<ReadonlyMap<string, string>> {
  try {
    return new Map([['', await readFile(file, 'utf8')]]);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StartupError(`The file ${file} cannot be read (${code ?? 'unknown reason'}).`);
  }
}

/** @throws StartupError with the reasons of a proposal that would be refused */
function accepted(proposal: Proposal): Proposal {
  if (proposal.refusals.length === 0) return proposal;
  throw new StartupError(refusal('It would be refused', proposal.refusals));
}

function mapsAsObjects(_key: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}
