/** What Holdfast's stack has set itself, each as a line with the figure, the bound, and whether it is kept. */
export function goals({ summary, windows, idle }) {
  const of = (contender, scenario) => summary.find((row) => row.contender === contender && row.scenario === scenario);
  const ours = ['holdfast', 'holdfast-method', 'holdfast-breaker'].filter((name) =>
    summary.some(({ contender }) => contender === name),
  );
  const stacks = ours.filter((name) => name !== 'holdfast-breaker');
  const lines = [];
  const line = (what, figure, bound, unit) => {
    const kept = figure <= bound ? 'kept' : 'MISSED';
    lines.push(`${kept.padEnd(6)}  ${what}: ${figure.toFixed(2)} ${unit} (at most ${bound})`);
  };
  for (const name of stacks) {
    const floor = (scenario) => of('bare-context', scenario)?.ratio.toFixed(2) ?? '–';
    for (const scenario of ['success, one at a time', 'success, 64 in flight']) {
      line(`${name}, ${scenario} (floor ${floor(scenario)})`, of(name, scenario).ratio, 2, '× plain');
      const own = of(name, scenario).bytes - of('plain', scenario).bytes;
      line(`${name}, ${scenario}`, own, 700, 'bytes a call more than plain');
    }
  }
  for (const name of ours) {
    const refusals = [name, 'opossum'].map((contender) => of(contender, 'refused while open'));
    if (refusals[1]) line(`${name}, refused while open`, refusals[0].ns / refusals[1].ns, 0.3, '× opossum');
    const window = windows.find(({ contender }) => contender === name);
    if (window) line(`${name}, failing call at 100,000 to 100 in the window`, window[100_000] / window[100], 1.5, '×');
    const resting = idle.find(({ contender }) => contender === name);
    // A whole stack has its other policies' state, too: the table shows it, the goal is the breaker's.
    if (resting && name === 'holdfast-breaker') {
      line(`${name}, 1,000 idle breakers`, resting.percent, 0.3, '% of a core');
      line(`${name}, an idle breaker`, resting.bytes, 4_096, 'bytes');
    }
  }
  return lines.join('\n');
}
