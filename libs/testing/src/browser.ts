import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { requireBinary } from './backends/binaries.js';

/** How the page is looked at. */
export interface PageLook {
  /** In CSS pixels. */
  readonly width: number;
  readonly height: number;
  /** @default light */
  readonly scheme?: 'light' | 'dark';
  /** Device pixels to a CSS pixel. @default 1 */
  readonly scale?: number;
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly sessionId?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

interface Waiting {
  resolve(result: Record<string, unknown>): void;
  reject(error: Error): void;
}

/** How long the browser may take for one command, in milliseconds. */
const ANSWER_MS = 20_000;

/**
 * A real Chromium without a screen, for tests of what people see. It is spoken to over a pipe, so that nothing listens anywhere.
 * Protocol: Chrome DevTools (chromedevtools.github.io/devtools-protocol), messages ended by a zero byte.
 */
export class Browser implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(answer: Answer) => void>();
  #last = 0;
  #rest = '';

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    const [, , , , answers] = child.stdio;
    (answers as Readable).setEncoding('utf8').on('data', (text: string) => this.#read(text));
    child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('The browser has ended.'));
      this.#waiting.clear();
    });
  }

  /** @throws Error with a sentence that says how to get it where there is no Chromium */
  static async start(): Promise<Browser> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-browser-'));
    // It shows this repository's own pages only, and containers seldom allow the sandbox.
    const flags = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars', '--no-first-run'];
    const child = spawn(
      requireBinary('chromium'),
      ['--headless', '--remote-debugging-pipe', `--user-data-dir=${folder}`, ...flags, 'about:blank'],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
    );
    child.once('error', () => undefined);
    const browser = new Browser(child, folder);
    await browser.send('Browser.getVersion', {});
    return browser;
  }

  /** Opens `url` in a page of its own, and waits until it is loaded. */
  async open(url: string, look: PageLook): Promise<BrowserPage> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new BrowserPage(this, String(sessionId), String(targetId));
    await page.send('Page.enable', {});
    await page.send('Runtime.enable', {});
    await page.send('Log.enable', {});
    await page.look(look);
    await page.send('Page.navigate', { url });
    return page;
  }

  /** One command and its result. @throws Error as the browser says */
  send(method: string, params: object, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++this.#last;
    const [, , , commands] = this.#child.stdio;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method} had no answer in time.`)), ANSWER_MS);
      this.#waiting.set(id, {
        resolve: (result) => (clearTimeout(timer), resolve(result)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      });
      (commands as Writable).write(`${JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) })}\0`);
    });
  }

  /** Calls `listener` with what the browser says by itself. */
  listen(listener: (answer: Answer) => void): void {
    this.#listeners.add(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#child.kill('SIGKILL');
      await exited;
    }
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #read(text: string): void {
    const messages = (this.#rest + text).split('\0');
    this.#rest = messages.pop()!;
    for (const message of messages) {
      const answer = JSON.parse(message) as Answer;
      const waiting = answer.id === undefined ? undefined : this.#waiting.get(answer.id);
      if (!waiting) {
        for (const listener of this.#listeners) listener(answer);
        continue;
      }
      this.#waiting.delete(answer.id!);
      if (answer.error) waiting.reject(new Error(answer.error.message));
      else waiting.resolve(answer.result ?? {});
    }
  }
}

/** One page of a {@link Browser}. */
export class BrowserPage {
  /** What the page has complained about so far: uncaught errors, and what its policy forbade. */
  readonly complaints: string[] = [];

  constructor(
    private readonly browser: Browser,
    private readonly sessionId: string,
    private readonly targetId: string,
  ) {
    browser.listen(({ method, params, sessionId: session }) => {
      if (session !== sessionId) return;
      if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded')
        this.complaints.push(JSON.stringify(params));
    });
  }

  send(method: string, params: object): Promise<Record<string, unknown>> {
    return this.browser.send(method, params, this.sessionId);
  }

  /** Looks at it in another size or scheme from now on. */
  async look({ width, height, scheme = 'light', scale = 1 }: PageLook): Promise<void> {
    const mobile = false;
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: scale, mobile });
    await this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  }

  /** The value of `expression` in the page, awaited where it is a promise. @throws Error with the page's own */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = (await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })) as { result: { value: T }; exceptionDetails?: { exception?: { description?: string }; text: string } };
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** All that the page says, as a reader sees it. */
  text(): Promise<string> {
    return this.evaluate('document.body.innerText');
  }

  /** Presses a key, such as Tab or Enter, where the focus is. */
  async press(key: string): Promise<void> {
    const windowsVirtualKeyCode = { Tab: 9, Enter: 13 }[key] ?? 0;
    const text = key === 'Enter' ? '\r' : undefined;
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', key, code: key, windowsVirtualKeyCode, text });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', key, code: key, windowsVirtualKeyCode });
  }

  /** A PNG of the whole page, or of what fits into its height with `whole: false`. */
  async screenshot({ whole = true } = {}): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: whole });
    return Buffer.from(String(data), 'base64');
  }

  async close(): Promise<void> {
    await this.browser.send('Target.closeTarget', { targetId: this.targetId });
  }
}
