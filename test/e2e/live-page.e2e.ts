import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { backendAvailable, Browser, eventually, type BrowserPage } from '@holdfast/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from '../promises/fleet.js';
import { Load, seconds } from '../promises/load.js';
import { lookOf, contrastFlaws, namelessControls } from './page-audit.js';

const TOKEN = 'a-token-for-this-test-alone';
const REGISTRY = { kind: 'file', open: async (folder: string) => ({ url: `file:${join(folder, 'registry')}` }) };
/** `npm run docs:images` keeps them where the documentation shows them; any other run leaves the repository as it is. */
const keeping = process.env['KEEP_IMAGES'] === '1';
const images = join(import.meta.dirname, '../..', keeping ? 'docs/img' : 'reports');

interface Row {
  readonly name: string;
  readonly state: string;
  readonly why: string;
}

describe.skipIf(!backendAvailable('chromium'))('the live page in a browser', () => {
  let fleet: Fleet;
  let browser: Browser;
  let page: BrowserPage;
  let load: Load;

  beforeAll(async () => {
    fleet = await Fleet.start(REGISTRY, { users: 4, gateways: 1 }, { ADMIN_TOKEN: TOKEN, ZONE: 'a', VERSION: '0.1.0' });
    load = new Load({ url: () => fleet.gateways[0]!.ready.http!, callers: 16, creators: 1, pauseMs: 40 });
    // An image for readers shows a minute of calls.
    if (keeping) await seconds(60);
    browser = await Browser.start();
    page = await browser.open(`${fleet.gateways[0]!.ready.admin}/`, { width: 1_280, height: 800 });
  });
  afterAll(async () => {
    await load?.stop();
    await browser?.[Symbol.asyncDispose]();
    await fleet?.[Symbol.asyncDispose]();
  });

  const rowsOf = (section: string) =>
    page.evaluate<Row[]>(`[...document.querySelectorAll('#${section} tbody tr')].map((row) => ({
      name: row.querySelector('th').firstElementChild.textContent,
      state: row.querySelector('.state').lastElementChild.textContent,
      why: row.querySelector('.why')?.textContent ?? '',
    }))`);
  const instance = async (id: string) => (await rowsOf('services')).find(({ name }) => name === id);
  const textOf = (id: string) => page.evaluate<string>(`document.getElementById('${id}').textContent`);
  const keep = async (name: string) => {
    mkdirSync(images, { recursive: true });
    const png = await page.screenshot();
    writeFileSync(join(images, `${name}.png`), png);
    expect(png.byteLength).toBeGreaterThan(20_000);
  };

  it('shows every instance and method, and that all is well', async () => {
    await eventually(async () => {
      const rows = await rowsOf('services');
      expect(rows.map(({ name }) => name)).toEqual(fleet.users.map(({ ready }) => ready.id).toSorted());
      expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['ready']));
    });
    expect(await textOf('name')).toBe('gateway');
    await eventually(async () => expect(await textOf('verdict')).toBe('All is well.'));
    await eventually(async () =>
      expect(await page.evaluate<string>(`document.querySelector('.spark').getAttribute('aria-label')`)).toContain(
        'p99',
      ),
    );
    expect((await rowsOf('methods')).map(({ state }) => state)).toEqual(['closed', 'closed']);
    expect(page.complaints).toEqual([]);
  });

  it('sees an instance that is killed, at no cost to calls that may be repeated, and one that hangs', async () => {
    const [killed, frozen] = fleet.users as [(typeof fleet.users)[0], (typeof fleet.users)[0]];
    const killedAt = performance.now();
    await killed.end('SIGKILL');
    await eventually(async () => expect(await textOf('events')).toContain(`${killed.ready.id} lost its connection`), {
      everyMs: 5,
    });
    const toldMs = performance.now() - killedAt;
    await eventually(async () =>
      expect((await instance(killed.ready.id))?.state ?? 'gone').toMatch(/gone|no connection/),
    );
    const shownMs = performance.now() - killedAt;
    console.log(`live page: killed, told after ${Math.round(toldMs)} ms, shown after ${Math.round(shownMs)} ms`);
    expect(shownMs).toBeLessThan(5_000);
    expect(load.failuresOf('get').map(({ failure }) => failure)).toEqual([]);

    try {
      // Frozen for longer than its lease, the registry would drop it: it is let breathe from time to time.
      const [row, verdict] = await eventually(
        async () => {
          frozen.freeze(false);
          await seconds(0.5);
          frozen.freeze(true);
          return eventually(
            async () => {
              const seen = await Promise.all([instance(frozen.ready.id), textOf('verdict')]);
              expect(seen[0]).toMatchObject({ state: expect.stringMatching(/ejected|probed/) as string });
              return seen;
            },
            { withinMs: 2_000, everyMs: 10 },
          );
        },
        { withinMs: 30_000 },
      );
      await keep('live-page');
      await page.look({ width: 1_280, height: 800, scheme: 'dark' });
      await keep('live-page-dark');
      expect(row!.why).toMatch(/no answer for|time-outs in a row/);
      expect(verdict).toMatch(/1 of \d instances of user-service is out/);
      await eventually(async () => expect(await textOf('events')).toContain(`${frozen.ready.id} was ejected`));
    } finally {
      frozen.freeze(false);
    }
    await eventually(async () => expect((await instance(frozen.ready.id))?.state).toBe('ready'), { withinMs: 40_000 });
  });

  it.each([
    [360, 780, 'light'],
    [360, 780, 'dark'],
    [1_280, 800, 'light'],
    [1_280, 800, 'dark'],
    [1_920, 1_080, 'light'],
    [1_920, 1_080, 'dark'],
  ] as const)('at %i × %i, %s: fits, can be read, and every control has a name', async (width, height, scheme) => {
    await page.look({ width, height, scheme });
    await eventually(() => page.evaluate<boolean>('document.getAnimations().length === 0'));
    const { scrollWidth, tables, log } = await lookOf(page);
    expect(scrollWidth).toBeLessThanOrEqual(width);
    expect(await contrastFlaws(page)).toEqual([]);
    expect(await namelessControls(page)).toEqual([]);
    expect(tables).toEqual(['Methods', 'user-service']);
    expect(log).toBe('polite');
  });

  it('lets who has the token act, by keyboard alone, and nobody else', async () => {
    const focused = () => page.evaluate<string>(`document.activeElement.textContent.trim()`);
    const tabTo = (label: string) =>
      eventually(async () => {
        await page.press('Tab');
        return (await focused()) === label;
      });
    const unlock = async (token: string) => {
      await page.send('Input.insertText', { text: token });
      await page.press('Enter');
    };
    expect(await page.evaluate(`getComputedStyle(document.querySelector('.act')).display`)).toBe('none');
    await tabTo('Operate …');
    await page.press('Enter');
    await unlock('not the token at all');
    await eventually(async () => expect(await textOf('unlock-said')).toContain('not the token'));
    await page.evaluate(`document.getElementById('token').select()`);
    await unlock(TOKEN);
    await eventually(async () => expect(await textOf('said')).toContain('You may act now'));

    const [target] = fleet.users.slice(2);
    await page.evaluate(`[...document.querySelectorAll('#services tbody tr')]
      .find((row) => row.textContent.includes('${target!.ready.id}')).querySelector('button').focus()`);
    await page.press('Enter');
    expect(await focused()).toBe('Really drain?');
    await page.press('Enter');
    await eventually(async () => expect((await instance(target!.ready.id))?.state).toBe('drained'));
    expect(await textOf('said')).toContain('gets no more calls');
    const picks = async () =>
      (await fleet.peersOf(fleet.gateways[0]!)).find(({ id }) => id === target!.ready.id)!.picks;
    const before = await picks();
    const calls = load.outcomes.length;
    await eventually(() => load.outcomes.length > calls + 50);
    expect(await picks()).toBe(before);

    await page.evaluate(`(() => { const choice = document.querySelector('[aria-label="Breaker of users.get"]');
      choice.value = 'open'; choice.dispatchEvent(new Event('change')); choice.blur(); })()`);
    await eventually(async () =>
      expect((await rowsOf('methods')).find(({ name }) => name.startsWith('users.get'))!.state).toBe('held open'),
    );
    const answer = await fetch(`${fleet.gateways[0]!.ready.http}/users/alice`);
    expect(await answer.text()).toContain('default');
    await page.evaluate(`(() => { const choice = document.querySelector('[aria-label="Breaker of users.get"]');
      choice.value = 'auto'; choice.dispatchEvent(new Event('change')); choice.blur(); })()`);

    const write = (key: string, value: string) =>
      page.evaluate(`(() => { document.getElementById('change-key').value = '${key}';
        document.getElementById('change-value').value = '${value}'; document.getElementById('change').requestSubmit(); })()`);
    await write('resilience.users.get.timeout', 'soon');
    await eventually(async () => expect(await textOf('said')).toContain('Nothing was written'));
    await write('resilience.users.get.timeout', '700ms');
    await eventually(async () => expect(await textOf('said')).toContain('as revision 1'));
    await eventually(async () => expect(await textOf('facts')).toContain('revision 1 by live page'));
    expect(await textOf('facts')).toContain('resilience.users.get.timeout is not set');
    const events = await textOf('events');
    for (const said of [
      'gets no more calls',
      'users.get is held open',
      'is left to its breaker again',
      'timeout is set',
    ]) {
      expect(events).toContain(said);
    }
    expect(await page.text()).not.toContain(TOKEN);
    expect(fleet.gateways[0]!.printed).not.toContain(TOKEN);
    // The two refusals above; of what the page's own policy forbids, or of an error in it, there is nothing.
    expect(page.complaints.filter((complaint) => !/status of 40[01] /.test(complaint))).toEqual([]);
  });

  it('keeps no process from ending, and says when there is nobody any more', async () => {
    await load.stop();
    expect(await fleet.gateways[0]!.end()).toBe(0);
    await eventually(async () => expect(await textOf('verdict')).toContain('No contact with the process'), {
      withinMs: 15_000,
    });
  });
});
