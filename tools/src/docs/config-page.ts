import { demandsOf, services } from '../config/app-demands.js';
import { configSamples } from './config-samples.js';
import { namesTable, ownTable, platformTable } from './config-tables.js';

/** Everything about settings that change while the services run, as a Markdown page; its tables and samples are made. */
export async function configPage(): Promise<string> {
  const apps = await Promise.all(services.map(async (name) => ({ name, demands: await demandsOf(name) })));
  const samples = await configSamples([
    'get user-service',
    "set user-service greeting.template 'Hi, {name}'",
    'set gateway resilience.users.get.timeout 800ms resilience.users.get.bulkhead.limit 50',
    'get gateway resilience.users.get.bulkhead',
    'set gateway resilience.users.get.timeuot 1s',
    'set gateway resilience.users.get.attemptTimeout 5s',
    'history user-service',
    'rollback user-service 1 --dry-run',
  ]);
  const parts: (readonly string[])[] = [
    introduction,
    ['```', ...samples, '```'],
    options,
    [
      '## The platform’s keys',
      '',
      'Every service has these; `edge` and `rateLimit` those that serve HTTP ([gateway.md](gateway.md)).',
      '',
      ...platformTable(apps.flatMap((app) => app.demands)),
    ],
  ];
  for (const { name, demands } of apps) {
    const [own, names] = [ownTable(demands), await namesTable(name, demands)];
    if (own.length + names.length > 0) parts.push([`## ${name}`]);
    if (own.length > 0) parts.push(['Keys of its own:'], own);
    if (names.length > 0) parts.push(['Names under which it has the platform’s keys:'], names);
  }
  return `${parts.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

const introduction = [
  `# Configuration

Numbers that an operator changes while the services run: timeouts, limits, how instances are chosen, what is logged. A change is
in use at once, without a restart, and without losing what a policy has counted. What a process needs to start (ports, addresses) is in
[settings.md](settings.md). This page is generated: \`npm run docs\`.

## Where settings live

\`CONFIG_URL\` names the store, by default \`file:config/holdfast.yaml\`.

- **A file**, \`file:<path>\`: YAML or JSON, with one section for each service. It may be replaced, edited or mounted from a config map.
- **etcd**, \`etcd://[user@]host:port[,host:port…]/<prefix>\`, or \`etcds://…\` with TLS.
- **Consul**, \`consul://host:port/<prefix>\`, or \`consul+tls://…\`.

Several with spaces between them are read together, and a later one wins. What wins over what, from the weakest to the strongest: the
built-in default, the code, the first store, the last store.

In etcd and Consul a service has a document, a single key for each value, or both; single keys win. A slash or a dot separates the parts:

\`\`\`
config/gateway                                  resilience: { users.get: { timeout: 1s, bulkhead: { limit: 100 } } }
config/gateway/resilience/users.get/timeout     800ms
config/user-service/greeting/template           Hi, {name}
\`\`\`

A document is YAML. \`resilience.users.get.timeout: 1s\` says the same as maps within maps do.

## What happens to a value

- **A good one** is in use in every process at once. Of a change to several values nobody ever sees half.
- **A bad one** (mistyped, out of range, impossible beside another, not YAML) is refused. The last good one stays in use, the log has one
  line with the key and what is expected of it, and readiness says \`degraded\`, which is not "not ready": the service serves on.
  A document is taken whole or not at all; a bad single key does not hold up the others.
- **A key that nobody asks for** does nothing. It is named in the log once, since it is likely misspelt.
- **\`null\`** takes back what weaker stores say: the code’s value or the built-in default counts again.
- **A deleted key or document** is taken for an accident: what it said last stays in use, and readiness says \`degraded\`. To go back to
  the default write \`null\`, or \`{}\` as the document; \`npm run config -- unset\` does.
- **A store that does not answer** changes nothing. What etcd or Consul said last is also kept on disk, in \`SNAPSHOT_DIR\`, for
  a start without them. A process never waits for a store for longer than a few seconds.

A duration is a number of milliseconds, or a number with its unit: \`250ms\`, \`1.5s\`, \`2m\`.

## The command

\`npm run config\` looks at the settings of a service and changes them, in whatever store \`CONFIG_URL\` names. It judges a change as the
service itself does, before anything is written, and writes it in one step, unless somebody else was faster; then it looks again.`,
];

const options = [
  `\`set --file\` replaces the whole document, \`diff\` shows what the stores change, what a document would change, or what has changed since a
revision, and \`watch\` prints a line for every change. With \`--dry-run\` nothing is written, \`--json\` is for scripts, \`--help\` shows all of it.
A failure is one sentence on stderr and exit code 1, and then nothing was written; where the connection was lost under a write, the
sentence says that it may have been.

The history is kept in the store itself, beside the settings (\`.history\`; for a file in \`<file>.history.json\`): the last 100 changes,
up to 256 KiB. Changes made by other means than this command are noticed at its next write and recorded as \`someone else\`’s, so a
rollback is exact. A value that did not exist then becomes \`null\`, or what a weaker store says of it, and is not deleted: a deletion would count
as an accident. Secrets are shown as •••, but the history in the store has them, as the store itself does.`,
];
