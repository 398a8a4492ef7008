import { format } from 'node:util';

const styles = { dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
type Style = keyof typeof styles;

export interface ScreenTarget {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Where the supervisor speaks: aligned lines, coloured on a terminal, plain where they go to a file or a pipe. */
export class Screen {
  readonly #target: ScreenTarget;
  readonly #coloured: boolean;
  #width = 0;

  /** Colours appear only on a terminal, and not where NO_COLOR (no-color.org) is set or the terminal knows none. */
  constructor(target: ScreenTarget, env: NodeJS.ProcessEnv = {}) {
    this.#target = target;
    this.#coloured = target.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  }

  /** Makes room for these labels, so that what stands behind them is aligned. */
  reserve(labels: readonly string[]): void {
    this.#width = Math.max(this.#width, ...labels.map((label) => label.length));
  }

  /** A line of the supervisor's own. */
  say(text = ''): void {
    this.#target.write(`${text}\n`);
  }

  /** Something went well for `label`. */
  good(label: string, text: string): void {
    this.say(`${this.#style('green', this.#pad(label))}  ${text}`);
  }

  /** Something about `label` that the operator should know. */
  note(label: string, text: string): void {
    this.say(`${this.#style('yellow', this.#pad(label))}  ${text}`);
  }

  /** A line that the app `label` wrote itself. */
  line(label: string, text: string): void {
    this.say(`${this.#style('cyan', this.#pad(label))} ${this.#style('dim', '│')} ${text}`);
  }

  problem(text: string): void {
    this.say(this.#style('red', text));
  }

  #pad(label: string): string {
    return label.padEnd(this.#width);
  }

  #style(style: Style, text: string): string {
    return this.#coloured ? format('\u001b[%dm%s\u001b[0m', styles[style], text) : text;
  }
}
