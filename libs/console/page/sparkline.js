import { duration } from './words.js';

const WIDTH = 120;
const HEIGHT = 30;
/** Failures stand below the curves, in their own band. */
const BAND = 8;
const NAMESPACE = 'http://www.w3.org/2000/svg';

/**
 * The paths of a minute: an area up to p99, a line at p50, and a bar where calls failed, as high as their share.
 * @param {{ calls: number[], failed: number[], p50: (number | null)[], p99: (number | null)[] }} trend
 */
export function pathsOf({ calls, failed, p50, p99 }) {
  const top = Math.max(1, ...p99.map((ms) => ms ?? 0));
  const step = WIDTH / calls.length;
  const x = (index) => round((index + 0.5) * step);
  // By the root, so that one slow moment does not flatten the rest.
  const y = (ms) => round((HEIGHT - BAND) * (1 - Math.sqrt(ms / top)) + 1);
  const floor = round(HEIGHT - BAND + 1);
  const runs = runsOf(p99);
  const area = runs.map((run) => {
    const first = x(run[0]) - step / 4;
    const last = x(run.at(-1)) + step / 4;
    const line = run.map((index) => `L${x(index)} ${y(p99[index])}`).join('');
    return `M${round(first)} ${floor}V${y(p99[run[0]])}${line}H${round(last)}V${floor}Z`;
  });
  const line = runs.map((run) => {
    const points = run.map((index) => `${x(index)} ${y(p50[index])}`);
    return `M${round(x(run[0]) - step / 4)} ${y(p50[run[0]])}L${points.join('L')}H${round(x(run.at(-1)) + step / 4)}`;
  });
  const bars = failed.flatMap((number, index) => {
    if (number === 0) return [];
    const height = round(Math.max(2, (BAND * number) / calls[index]));
    return `M${round(index * step)} ${HEIGHT}v${-height}h${round(step - 0.6)}v${height}z`;
  });
  return { area: area.join(''), line: line.join(''), failed: bars.join(''), top };
}

/** The minute in words, for who does not see it. */
export function sparkWords({ calls, failed, p50, p99 }) {
  const all = calls.reduce((sum, number) => sum + number, 0);
  if (all === 0) return 'no calls in the last minute';
  const bad = failed.reduce((sum, number) => sum + number, 0);
  return `last minute: ${all} calls, ${bad} failed, p50 ${span(p50)}, p99 ${span(p99)}`;
}

function span(values) {
  const known = values.filter((ms) => ms !== null);
  return known.length === 0 ? 'unknown' : `${duration(Math.min(...known))} to ${duration(Math.max(...known))}`;
}

/** A drawing that can be given another minute. */
export function sparkline() {
  const svg = document.createElementNS(NAMESPACE, 'svg');
  const attributes = { class: 'spark', role: 'img', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none' };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  const [area, line, failed, floor] = ['area', 'line', 'failed', 'floor'].map((name) => {
    const path = document.createElementNS(NAMESPACE, 'path');
    path.setAttribute('class', name);
    svg.append(path);
    return path;
  });
  floor.setAttribute('d', `M0 ${HEIGHT - BAND + 1}H${WIDTH}`);
  return {
    element: svg,
    update(trend) {
      const paths = pathsOf(trend);
      area.setAttribute('d', paths.area);
      line.setAttribute('d', paths.line);
      failed.setAttribute('d', paths.failed);
      svg.setAttribute('aria-label', sparkWords(trend));
    },
  };
}

/** Where there are figures, as runs of indexes without a gap. */
function runsOf(values) {
  const runs = [];
  values.forEach((value, index) => {
    if (value === null) return;
    if (runs.at(-1)?.at(-1) === index - 1) runs.at(-1).push(index);
    else runs.push([index]);
  });
  return runs;
}

function round(value) {
  return Math.round(value * 10) / 10;
}
