import { describeSettings, serviceSettings, type SettingFacts, type SettingsSchema } from '@holdfast/service';
import { appsOf, exportsPart } from '../apps.js';

interface Group {
  /** Which apps read them. */
  readonly apps: string;
  readonly schema: SettingsSchema;
}

/** The settings that there are: those of all apps, and those of each that lets others import its `./settings`. */
async function groupsOf(apps: readonly string[]): Promise<readonly Group[]> {
  const own = apps.filter((app) => exportsPart(app, 'settings'));
  const schemas = own.map(async (app): Promise<Group> => {
    const path = `@holdfast/${app}/settings`;
    const { settings } = (await import(path)) as { readonly settings: SettingsSchema };
    return { apps: app, schema: settings };
  });
  return [{ apps: 'all', schema: serviceSettings }, ...(await Promise.all(schemas))];
}

/** Every environment variable as a Markdown page, from the schemas that read them. */
export async function settingsPage(): Promise<string> {
  const groups = await groupsOf(appsOf());
  const rows = groups.flatMap(({ apps, schema }) => describeSettings(schema).map((facts) => rowOf(apps, facts)));
  return `# Settings

An app is configured by environment variables alone. A wrong one is one sentence on stderr and exit code 1.
This page is generated: \`npm run docs\`.

| variable | app | default | meaning |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}

function rowOf(apps: string, { name, default: fallback, meaning }: SettingFacts): string {
  const cells = [`\`${name}\``, apps, fallback === '' ? '' : `\`${fallback}\``, meaning];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
