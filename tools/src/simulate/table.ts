import { missesOf, type Comparison } from './comparison.js';
import type { Result } from './simulation.js';

const percent = (share: number) =>
  share === 0 ? '0' : `${(100 * share).toFixed(share < 0.001 ? 3 : share < 0.1 ? 2 : 1)} %`;
const ms = (value: number) => (value < 100 ? value.toFixed(1) : value.toFixed(0));

const columns: readonly { readonly head: string; readonly cell: (result: Result) => string }[] = [
  { head: 'picker', cell: ({ contender }) => contender },
  { head: 'odd one, × fair', cell: ({ oddShare }) => (oddShare === undefined ? '–' : oddShare.toFixed(3)) },
  { head: 'p50 ms', cell: ({ p50Ms }) => ms(p50Ms) },
  { head: 'p99 ms', cell: ({ p99Ms }) => ms(p99Ms) },
  { head: 'failed', cell: ({ failures }) => percent(failures) },
];

/** For a terminal: one block for each scenario. */
export function asText(comparisons: readonly Comparison[]): string {
  const blocks = comparisons.map(({ scenario, results }) => {
    const rows = [columns.map(({ head }) => head), ...results.map((result) => columns.map(({ cell }) => cell(result)))];
    const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
    const lines = rows.map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  '),
    );
    return [`${scenario.name}: ${scenario.what}`, ...lines.map((line) => `  ${line}`)].join('\n');
  });
  return [...blocks, verdictOf(comparisons)].join('\n\n');
}

/** For the documentation: one row for each scenario and picker, the best p99 and failures in bold. */
export function asMarkdown(comparisons: readonly Comparison[]): string {
  const lines = comparisons.flatMap(({ scenario, results }) => {
    const least = (of: (result: Result) => number) => Math.min(...results.map(of));
    const [p99, failures] = [least((result) => result.p99Ms), least((result) => result.failures)];
    return results.map((result, row) => {
      const cells = columns.map(({ cell }) => cell(result));
      cells[3] = bold(cells[3]!, result.p99Ms <= 1.05 * p99);
      cells[4] = bold(cells[4]!, result.failures <= 1.05 * failures + 0.0001);
      return `| ${[row === 0 ? `\`${scenario.name}\`` : '', ...cells].join(' | ')} |`;
    });
  });
  const heads = ['scenario', ...columns.map(({ head }) => head)];
  const rule = heads.map((_, column) => (column < 2 ? '---' : '---:'));
  return [
    '<!-- prettier-ignore-start -->',
    `| ${heads.join(' | ')} |`,
    `| ${rule.join(' | ')} |`,
    ...lines,
    '<!-- prettier-ignore-end -->',
    '',
    verdictOf(comparisons),
  ].join('\n');
}

function bold(text: string, is: boolean): string {
  return is ? `**${text}**` : text;
}

function verdictOf(comparisons: readonly Comparison[]): string {
  const misses = comparisons.flatMap(missesOf);
  if (misses.length === 0) return 'Ours is at or within 5 % of the best in p99 and failures of every scenario.';
  const said = misses.map(({ scenario, column, ours, best, by }) => {
    const text = column === 'p99' ? ms : percent;
    return `${scenario}, ${column}: ${text(ours)} against ${text(best)} (${by})`;
  });
  return `Ours is more than 5 % worse than the best in: ${said.join('; ')}.`;
}
