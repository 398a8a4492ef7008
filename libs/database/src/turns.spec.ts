import { describe, expect, it } from 'vitest';
import { Turns } from './turns.js';

const patient = () => new AbortController().signal;

describe('Turns', () => {
  it('go to one at a time, in the order of coming, without those who gave up', async () => {
    const turns = new Turns();
    const entered: string[] = [];
    const impatient = new AbortController();
    const take = (name: string, signal = patient()) => turns.take(() => signal).then(() => entered.push(name));
    await take('first');
    const second = take('second', impatient.signal);
    const others = [take('third'), take('fourth')];
    impatient.abort(new Error('cannot wait'));
    await expect(second).rejects.toThrow('cannot wait');
    expect(entered).toEqual(['first']);
    turns.pass();
    await others[0];
    expect(entered).toEqual(['first', 'third']);
    turns.pass();
    await others[1];
    turns.pass();
    await take('fifth');
    expect(entered).toEqual(['first', 'third', 'fourth', 'fifth']);
  });

  it('are not waited for by who has given up already', async () => {
    const turns = new Turns();
    await turns.take(patient);
    await expect(turns.take(() => AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
    turns.pass();
    await expect(turns.take(patient)).resolves.toBeUndefined();
  });
});
