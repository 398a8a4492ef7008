import { keyFactsOf, ConfigEditor, textOf, type ConfigDriver, type Demand, type KeyFacts } from '@holdfast/config';
import { durationText, shown } from '../config/lines.js';

/** Keys that every app has, and what stands in them for a name that is the app's. */
const platformKeys: readonly { readonly key: RegExp; readonly named: string }[] = [
  { key: /^log\.level$/, named: 'log.level' },
  { key: /^rpc\..+\.balancer$/, named: 'rpc.<target>.balancer' },
  { key: /^resilience\..+$/, named: 'resilience.<name>' },
  { key: /^edge$/, named: 'edge' },
  { key: /^rateLimit\.client$/, named: 'rateLimit.client' },
  { key: /^rateLimit\.(?!client$).+$/, named: 'rateLimit.<name>' },
];

/** The platform's keys, from what the apps ask for. */
export function platformTable(demands: readonly Demand[]): readonly string[] {
  const facts = platformKeys.flatMap(({ key, named }) => {
    const demand = demands.find((one) => key.test(one.key));
    return demand ? keyFactsOf({ ...demand, key: named }) : [];
  });
  return factsTable(facts);
}

/** The keys that are an app's own; none is an empty table. */
export function ownTable(demands: readonly Demand[]): readonly string[] {
  const own = demands.filter(({ key }) => !platformKeys.some((one) => one.key.test(key)));
  return own.length > 0 ? factsTable(own.flatMap(keyFactsOf)) : [];
}

/** The names under which an app has keys of the platform, and what its code says of them; none is an empty table. */
export async function namesTable(service: string, demands: readonly Demand[]): Promise<readonly string[]> {
  const editor = new ConfigEditor(service, demands, [nothing], { by: '' });
  const said = (await editor.show()).values.filter(({ from }) => from === 'code');
  const named = demands.filter(({ key }) => platformKeys.some((one) => one.named !== key && one.key.test(key)));
  const rows = named.map(({ key }) => {
    const own = said.filter((value) => value.key.startsWith(`${key}.`));
    return [
      code(key),
      own.map((value) => code(`${value.key.slice(key.length + 1)}: ${shown(editor.guide, value)}`)).join(', '),
    ];
  });
  return rows.length > 0 ? table(['key', 'the code says'], rows) : [];
}

const nothing: ConfigDriver = {
  name: 'nothing',
  remote: false,
  maxWaitMs: 0,
  read: () => Promise.resolve({ entries: new Map(), cursor: '' }),
  write: () => Promise.resolve(false),
  close: () => Promise.resolve(),
};

function factsTable(facts: readonly KeyFacts[]): readonly string[] {
  const rows = facts.map(({ key, type, unit, range, default: fallback, meaning, secret }) => [
    code(key),
    secret ? `${type}, a secret` : type,
    type === 'duration' ? 'ms, s or m' : unit,
    range,
    fallback === undefined ? '' : code(type === 'duration' ? durationText(fallback as number) : textOf(fallback)),
    meaning,
  ]);
  return table(['key', 'type', 'unit', 'range', 'default', 'meaning'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  return [
    '<!-- prettier-ignore-start -->',
    line(head),
    line(head.map(() => '---')),
    ...rows.map(line),
    '<!-- prettier-ignore-end -->',
  ];
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function code(text: string): string {
  return `\`${text}\``;
}
