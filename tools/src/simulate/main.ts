import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { StartupError } from '@holdfast/core';
import { compare, type Comparison } from './comparison.js';
import { help, parseOptions } from './options.js';
import { sharePlot } from './plot.js';
import { scenarios } from './scenario.js';
import { asMarkdown, asText } from './table.js';

const docs = new URL('../../../docs/', import.meta.url);

try {
  main();
} catch (error) {
  if (!(error instanceof StartupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

function main(): void {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) return console.log(help);
  const chosen = scenarios.filter(({ name }) => options.scenarios.includes(name));
  const comparisons = chosen.map((scenario) =>
    compare({ ...scenario, instances: options.instances ?? scenario.instances }, options.seed),
  );
  if (options.json) {
    const numbers = comparisons.map(({ scenario, results }) => ({
      scenario: scenario.name,
      instances: scenario.instances,
      results,
    }));
    return console.log(JSON.stringify({ seed: options.seed, scenarios: numbers }));
  }
  console.log(asText(comparisons));
  if (options.write) write(comparisons, options.seed);
}

/** Puts the table between its marks in the page, and the plots beside it. */
function write(comparisons: readonly Comparison[], seed: number): void {
  const page = new URL('balancing.md', docs);
  const [begin, end] = ['<!-- simulated: begin -->', '<!-- simulated: end -->'];
  const marked = new RegExp(`${begin}[^]*${end}`);
  const table = `${begin}\n\nSeed ${seed}. In bold: at or within 5 % of the best.\n\n${asMarkdown(comparisons)}\n\n${end}`;
  writeFileSync(
    page,
    readFileSync(page, 'utf8').replace(marked, () => table),
  );
  mkdirSync(new URL('balancing/', docs), { recursive: true });
  for (const comparison of comparisons) {
    const { name, odd } = comparison.scenario;
    if (odd) writeFileSync(new URL(`balancing/${name}.svg`, docs), sharePlot(comparison));
  }
}
