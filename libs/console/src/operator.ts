import { Logger } from '@nestjs/common';
import { EditError, type ConfigEditor, type EffectiveValue, type Written } from '@holdfast/config';
import { Code, ServiceError } from '@holdfast/core';
import { z } from 'zod';
import type { ConsoleSubject } from './subject.js';

/** How often the log tells of wrong tokens at most, in milliseconds. */
const TELL_EVERY_MS = 1_000;

const name = z.string().min(1).max(200);
const action = {
  drain: z.strictObject({ service: name, address: name, drained: z.boolean() }),
  force: z.strictObject({ method: name, state: z.enum(['open', 'closed', 'auto']) }),
  set: z.strictObject({ key: name, value: z.string().max(10_000).nullable() }),
};

/** One setting as the page offers it. */
export interface OfferedSetting {
  readonly key: string;
  readonly value: unknown;
  readonly from: string;
  readonly meaning: string;
}

/**
 * What an operator does to a process from its live page. Every act is a line in the journal and in the log, with where it came
 * from; and so is one that was refused.
 */
export class Operator {
  readonly #subject: ConsoleSubject;
  readonly #logger = new Logger(Operator.name);
  #editor: Promise<ConfigEditor> | undefined;
  /** Wrong tokens since the last line about them, and when that was. */
  #wrongTokens = 0;
  #toldAt = -Infinity;

  constructor(subject: ConsoleSubject) {
    this.#subject = subject;
  }

  /** Somebody has shown a wrong token. It is a line in the log at most once a second: who guesses must not fill it. */
  wrongToken(from: string): void {
    const now = this.#subject.clock.now();
    this.#wrongTokens++;
    if (now < this.#toldAt + TELL_EVERY_MS) return;
    const times = this.#wrongTokens === 1 ? '' : `, ${this.#wrongTokens} times since the last such line`;
    this.#logger.warn(`a wrong token was shown to the live page from ${from}${times}`);
    this.#toldAt = now;
    this.#wrongTokens = 0;
  }

  /** Has an instance get no more calls from this process, or some again. @throws ServiceError where it is not so */
  drain(body: unknown, from: string): void {
    const { service, address, drained } = read(action.drain, body);
    const target = this.#subject.targets.all.find((one) => one.name === service);
    if (!target) throw new ServiceError(Code.NOT_FOUND, `This process does not call ${service}.`);
    target.drain(address, drained);
    this.#note(`${service} ${address}`, drained ? 'gets no more calls' : 'gets calls again', from);
  }

  /** Opens or closes a breaker by hand, or leaves it to itself. @throws ServiceError NOT_FOUND */
  force(body: unknown, from: string): void {
    const { method, state } = read(action.force, body);
    if (!this.#subject.resilience.force(method, state)) {
      throw new ServiceError(Code.NOT_FOUND, `Nothing here is called ${method}.`);
    }
    this.#note(method, state === 'auto' ? 'is left to its breaker again' : `is held ${state}`, from);
  }

  /**
   * Writes one setting to the strongest store, as `npm run config -- set` does; null takes it back. @returns what is different now
   * @throws ServiceError FAILED_PRECONDITION with the reason where it is refused
   */
  async set(body: unknown, from: string): Promise<{ readonly said: string }> {
    const { key, value } = read(action.set, body);
    const subject = `${this.#subject.self.name} ${key}`;
    try {
      const written = await (await this.#edit()).write(new Map([[key, value]]));
      if (written.revision === undefined) return { said: 'Nothing would change, so nothing is written.' };
      this.#note(subject, value === null ? 'is taken back' : 'is set', from);
      return { said: `Written to ${written.store} as revision ${written.revision}${changesOf(written)}.` };
    } catch (error) {
      if (!(error instanceof EditError)) throw error;
      this.#logger.warn(`${subject} is not set, from ${from}: ${error.message}`);
      this.#subject.journal.note('refused', subject, `is not set, by an operator at ${from}`, error.message);
      throw new ServiceError(Code.FAILED_PRECONDITION, error.message, { reason: 'NOT_WRITTEN', cause: error });
    }
  }

  /** What can be set, and as it is; secrets are masked. */
  async settings(): Promise<readonly OfferedSetting[]> {
    const editor = await this.#edit();
    const { values } = await editor.show();
    const offered = ({ key, value, from }: EffectiveValue) => {
      const { meaning = '', range = '' } = editor.guide.factsOf(key) ?? {};
      return { key, value, from, meaning: [meaning, range].filter((part) => part !== '').join(' ') };
    };
    return values.map(offered);
  }

  #edit(): Promise<ConfigEditor> {
    return (this.#editor ??= this.#subject.editor());
  }

  #note(subject: string, what: string, from: string): void {
    this.#logger.log(`${subject} ${what}, by an operator at ${from}`);
    this.#subject.journal.note('ordered', subject, what, `by an operator at ${from}`);
  }
}

function changesOf({ values }: Written): string {
  const changes = values.map(
    ({ key, after }) => `${key} is ${after === undefined ? 'gone' : JSON.stringify(after.value)}`,
  );
  return changes.length === 0 ? '; no value in use changes' : `: ${changes.join(', ')}`;
}

function read<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ServiceError(Code.INVALID_ARGUMENT, `${issue?.path.join('.') || 'The body'}: ${issue?.message}.`);
}
