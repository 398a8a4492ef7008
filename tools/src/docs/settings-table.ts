import { describeSettings, serviceSettings, type SettingFacts, type SettingsSchema } from '@holdfast/service';
import { settings as userServiceSettings } from '@holdfast/user-service/settings';

/** The settings that there are, and which apps read them. */
const groups: readonly { readonly apps: string; readonly schema: SettingsSchema }[] = [
  { apps: 'all', schema: serviceSettings },
  { apps: 'user-service', schema: userServiceSettings },
];

/** Every environment variable as a Markdown page, from the schemas that read them. */
export function settingsPage(): string {
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
