import { median } from '../record.mjs';

/** Per scenario and contender: medians of nanoseconds, bytes, and the ratio to the baseline of the same round. */
export function summarise(samples, baseline) {
  const groups = Map.groupBy
    ? Map.groupBy(samples, keyOf)
    : samples.reduce((map, sample) => map.set(keyOf(sample), [...(map.get(keyOf(sample)) ?? []), sample]), new Map());
  return [...groups.values()].map((group) => {
    const { scenario, contender } = group[0];
    const base = ({ round }) =>
      samples.find((other) => other.round === round && other.scenario === scenario && other.contender === baseline).ns;
    return {
      scenario,
      contender,
      ns: median(group.map(({ ns }) => ns)),
      bytes: median(group.map(({ bytes }) => bytes)),
      ratio: median(group.map((sample) => sample.ns / base(sample))),
    };
  });
}

const keyOf = ({ scenario, contender }) => `${scenario}/${contender}`;

/** Rows of cells as text, the first column to the left. */
export function aligned(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column ? String(cell).padStart(widths[column]) : String(cell).padEnd(widths[column])))
        .join('  '),
    )
    .join('\n');
}

export function tables(summary) {
  const scenarios = [...new Set(summary.map(({ scenario }) => scenario))];
  return scenarios
    .map((scenario) => {
      const rows = summary.filter((row) => row.scenario === scenario);
      const plain = rows.find(({ contender }) => contender === 'plain');
      return aligned([
        [scenario, 'ns', 'over plain', 'ratio', 'bytes', 'over plain'],
        ...rows
          .toSorted((a, b) => a.ratio - b.ratio)
          .map(({ contender, ns, bytes, ratio }) => [
            contender,
            ns.toFixed(0),
            (ns - plain.ns).toFixed(0),
            ratio.toFixed(2),
            bytes.toFixed(0),
            (bytes - plain.bytes).toFixed(0),
          ]),
      ]);
    })
    .join('\n\n');
}
