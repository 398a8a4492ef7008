import { readFile, stat } from 'node:fs/promises';
import { sleep, type Clock } from '@holdfast/core';
import { looksCutOff, type FileTexts } from './file-sections.js';

/** How long a file that looks half-written is left alone before it is looked at again, in milliseconds. */
const SETTLE_MS = 40;
/** A writer that is not done after so many looks is not waited for any longer. */
const MOST_LOOKS = 20;
/** For so long after a change a file is read and not only asked for its times, which may be too coarse to tell. */
const COARSE_MS = 1_500;

interface Look extends FileTexts {
  /** The file's identity and times, by which most looks see that nothing has changed. */
  readonly signature: string | undefined;
  readonly inode: bigint | undefined;
  readonly at: number;
}

/** Reads the file and its sidecar, but never what a writer has only half done: that is looked at again until it rests. */
export class FileLook {
  readonly #path: string;
  readonly #sidecar: string;
  readonly #clock: Clock;
  #last: Look | undefined;

  constructor(path: string, sidecar: string, clock: Clock) {
    this.#path = path;
    this.#sidecar = sidecar;
    this.#clock = clock;
  }

  /**
   * The texts that are there and at rest.
   * @param sure reads them also where no time of theirs says that they changed
   */
  async texts(sure: boolean, signal: AbortSignal): Promise<FileTexts> {
    const last = this.#last;
    const isOld = last !== undefined && this.#clock.now() - last.at > COARSE_MS;
    if (isOld && !sure && (await timesOf(this.#path))?.times === last.signature) return last;
    let look = await this.#look();
    for (let looks = 0; looks < MOST_LOOKS && this.#isUnrest(last, look); looks++) {
      await sleep(this.#clock, SETTLE_MS, signal);
      const again = await this.#look();
      const rests = again.main === look.main && again.signature === look.signature;
      look = again;
      if (rests) break;
    }
    const same = last?.main === look.main && last?.sidecar === look.sidecar;
    this.#last = same && last ? { ...look, at: last.at } : look;
    return this.#last;
  }

  /** Whether the file differs from what it was in a way that a writer at work explains as well. */
  #isUnrest(last: Look | undefined, look: Look): boolean {
    if (last && last.main === look.main) return false;
    if (look.main === undefined) return last !== undefined;
    const inPlace = last !== undefined && last.main !== undefined && last.inode === look.inode;
    return inPlace || looksCutOff(look.main);
  }

  async #look(): Promise<Look> {
    const before = await timesOf(this.#path);
    const [main, sidecar] = await Promise.all([textOf(this.#path), textOf(this.#sidecar)]);
    return { main, sidecar, signature: before?.times, inode: before?.inode, at: this.#clock.now() };
  }
}

/** The file's text; undefined where there is none. @throws where it is there and cannot be read */
export async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function timesOf(path: string): Promise<{ times: string; inode: bigint } | undefined> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return { times: [dev, ino, size, mtimeNs, ctimeNs].join(), inode: ino };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The system's code of a failed file operation, such as `ENOENT`; undefined for any other error. */
export function codeOf(error: unknown): string | undefined {
  const code: unknown = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
}
