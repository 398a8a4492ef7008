const megabytes = (bytes) => `${Math.round(bytes / 2 ** 20)} MB`;

/** The results as a table for people; `baseline` is the contender that the ratios divide by. */
export function table(results, baseline) {
  const header = [
    'conns',
    'contender',
    'req/s',
    'ratio',
    'p50 ms',
    'p99 ms',
    'gateway µs',
    'service µs',
    'sum µs',
    'ratio',
  ];
  header.push('gateway', 'service');
  const rows = [header];
  for (const row of results.toSorted((a, b) => a.connections - b.connections)) {
    const base = results.find((other) => other.name === baseline && other.connections === row.connections);
    rows.push([
      String(row.connections),
      row.name,
      row.perSecond.toFixed(0),
      base ? (row.perSecond / base.perSecond).toFixed(2) : '–',
      row.p50.toFixed(2),
      row.p99.toFixed(2),
      `${cost(row, 'gateway').toFixed(0)} (${row.gatewaySystem.toFixed(0)} sys)`,
      `${cost(row, 'service').toFixed(0)} (${row.serviceSystem.toFixed(0)} sys)`,
      sum(row).toFixed(0),
      base ? (sum(row) / sum(base)).toFixed(2) : '–',
      megabytes(row.gatewayMemory),
      megabytes(row.serviceMemory),
    ]);
  }
  return aligned(rows);
}

function cost(row, role) {
  return row[`${role}User`] + row[`${role}System`];
}

function sum(row) {
  return cost(row, 'gateway') + cost(row, 'service');
}

function aligned(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const pad = (cell, column) => (column === 1 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]));
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}
