import {
  textOf,
  type EffectiveValue,
  type KeyGuide,
  type Revision,
  type SettingsView,
  type TextChange,
  type ValueChange,
} from '@holdfast/config';

const NOTHING = '(not set)';

/** A value for the screen: as one writes it, on one line. */
export function shown(guide: KeyGuide, value: EffectiveValue | undefined): string {
  if (value?.value === undefined) return NOTHING;
  const isDuration = guide.factsOf(value.key)?.type === 'duration' && typeof value.value === 'number';
  return isDuration ? durationText(value.value as number) : textOf(value.value);
}

/** Milliseconds as one writes them. */
export function durationText(ms: number): string {
  return ms >= 1_000 && ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}

/** What is in use, as a table, and what is not. */
export function viewLines(guide: KeyGuide, { values, strangers, problems }: SettingsView): readonly string[] {
  return [
    ...table(values.map((value) => [value.key, shown(guide, value), value.from])),
    ...strangers.map((path) => `Nobody asks for ${path}.`),
    ...problems.map(
      ({ path, layer, reason }) => `${path === '' ? 'The document' : path} of ${layer} is not in use: ${reason}.`,
    ),
  ];
}

/** Values as they are and as they will be. */
export function valueLines(guide: KeyGuide, changes: readonly ValueChange[]): readonly string[] {
  return table(
    changes.map(({ key, before, after }) => [`  ${key}`, `${shown(guide, before)} → ${shown(guide, after)}`]),
  );
}

/** Texts of a store as they were and as they are. */
export function textLines(changes: ReadonlyMap<string, TextChange>): readonly string[] {
  return table(
    [...changes].map(([path, { before, after }]) => [
      `  ${path === '' ? '(the document)' : path}`,
      `${before ?? NOTHING} → ${after ?? NOTHING}`,
    ]),
  );
}

export function historyLines(revisions: readonly Revision[]): readonly string[] {
  return revisions.flatMap(({ revision, at, by, changes }) => [`${revision}  ${at}  ${by}`, ...textLines(changes)]);
}

/** Rows with columns of the same width. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, at) => Math.max(most[at] ?? 0, cell.length)), []);
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
