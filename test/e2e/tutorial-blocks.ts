/** One code block of a page, with what a reader does about it. */
export interface Block {
  /** Where it begins in the page, from 1. */
  readonly line: number;
  /**
   * `run`: commands for the shell. `serve`: a command that goes on until Ctrl-C. `edit`: a change to make. `shows`: what the
   * block before it printed, with `…` for what differs from time to time.
   */
  readonly does: 'run' | 'serve' | 'edit' | 'shows';
  readonly text: string;
  /** The program without which it cannot be done, as in "sh needs docker". */
  readonly needs: string | undefined;
}

const FENCE = /^```(\w+)(?: needs (\w+))?\n([^]*?)^```$/gm;

/**
 * The blocks of a page in their order.
 * @throws Error for a block in a language that nobody would know what to do about
 */
export function blocksOf(page: string): readonly Block[] {
  return [...page.matchAll(FENCE)].map(({ index, 1: language, 2: needs, 3: text = '' }) => {
    const line = page.slice(0, index).split('\n').length;
    return { line, does: whatToDo(language!, text, line), text, needs };
  });
}

function whatToDo(language: string, text: string, line: number): Block['does'] {
  if (language === 'sh') return /\bnpm start\b/.test(text) ? 'serve' : 'run';
  if (language === 'diff') return 'edit';
  if (language === 'text') return 'shows';
  throw new Error(`The block in line ${line} is "${language}", which no reader can run, make or see.`);
}

/** Whether `output` is what `expected` shows: all of its lines, in a row; `…` stands for any text within a line, or for any lines. */
export function shows(output: string, expected: string): boolean {
  const pattern = expected
    .trimEnd()
    .split('\n')
    .map((line) => (line.trim() === '…' ? '(?:.*\n)*?.*' : line.trimEnd().split('…').map(literally).join('.*')))
    .join(' *\n');
  return new RegExp(`^${pattern}[ ]*$`, 'm').test(output);
}

function literally(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}
