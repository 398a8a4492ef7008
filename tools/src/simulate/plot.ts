import type { Comparison } from './comparison.js';

const WIDTH = 760;
const HEIGHT = 300;
const LEFT = 48;
const RIGHT = 170;
const TOP = 36;
const BOTTOM = 34;
/** Readable on light and dark pages, and told apart with red-green blindness (Okabe, Ito, 2008). */
const COLOURS = ['#0072b2', '#999999', '#e69f00', '#b8860b', '#cc79a7', '#d55e00', '#009e73'];
/** What the highest line of the plot stands for: more than so many times the fair share is drawn there. */
const MOST = 2;

/** The share of the calls that the odd servers get, second by second and as a multiple of their fair one, as an SVG image. */
export function sharePlot({ scenario, results }: Comparison): string {
  const { seconds, instances, trouble } = scenario;
  const odd = Array.from({ length: instances }, (_, index) => index).filter((index) =>
    scenario.odd?.(index, instances),
  );
  const fair = odd.length / instances;
  const x = (second: number) => LEFT + (second / seconds) * (WIDTH - LEFT - RIGHT);
  const y = (share: number) => HEIGHT - BOTTOM - (Math.min(share, MOST) / MOST) * (HEIGHT - TOP - BOTTOM);
  const grid = [0, 0.5, 1, 1.5, 2].map(
    (share) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${n(y(share))}" y2="${n(y(share))}" stroke="#888" stroke-opacity="${share === 1 ? 0.8 : 0.25}"/>` +
      text(LEFT - 6, y(share) + 4, `${share}`, 'end'),
  );
  const ticks = Array.from({ length: Math.floor(seconds / 10) + 1 }, (_, index) => index * 10).map((second) =>
    text(x(second), HEIGHT - 14, `${second} s`, 'middle'),
  );
  const lines = results.map((result, index) => {
    const points = result.seconds.map(
      (second, at) => `${n(x(at + 0.5))},${n(y(second.oddCalls / Math.max(1, second.calls) / fair))}`,
    );
    return `<polyline fill="none" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="${index === 0 ? 2.5 : 1.2}" points="${points.join(' ')}"/>`;
  });
  const legend = results.map(
    ({ contender }, index) =>
      `<rect x="${WIDTH - RIGHT + 14}" y="${TOP + index * 20}" width="12" height="4" fill="${COLOURS[index % COLOURS.length]}"/>` +
      text(WIDTH - RIGHT + 32, TOP + index * 20 + 7, contender, 'start'),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${scenario.what}</title>`,
    `<rect x="${n(x(trouble[0]))}" y="${TOP}" width="${n(x(trouble[1]) - x(trouble[0]))}" height="${HEIGHT - TOP - BOTTOM}" fill="#888" fill-opacity="0.12"/>`,
    text(LEFT, 20, `${scenario.name}: share of the odd one, as a multiple of its fair share`, 'start'),
    ...grid,
    ...ticks,
    // Ours last, so that it lies on top.
    ...lines.toReversed(),
    ...legend,
    '</svg>',
    '',
  ].join('\n');
}

const n = (value: number) => value.toFixed(1);

function text(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end'): string {
  return `<text x="${n(x)}" y="${n(y)}" text-anchor="${anchor}" fill="#777">${words}</text>`;
}
