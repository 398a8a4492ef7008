import { defaultBounds, type Child, type ChildBounds } from './child.js';
import type { Tier } from './mesh.js';
import type { MeshOptions } from './options.js';

/** What can be edited while the mesh runs. */
const SETTINGS_FILE = 'config/holdfast.yaml';

/** The demo's apps, from the edge inwards. */
export const apps = ['gateway', 'user-service'];

/** Time beyond an app's own drain for closing what is left and for the process to end, in milliseconds. */
const END_MS = 5_000;

interface MeshPlan {
  readonly tiers: readonly Tier[];
  readonly bounds: ChildBounds;
  readonly introduction: (children: readonly Child[]) => readonly string[];
}

/** The gateway and its user services, as `options` and the operator's environment want them. */
export function demoMesh({ replicas, verbose }: MeshOptions, env: NodeJS.ProcessEnv): MeshPlan {
  // An app logs all it does; the screen is for what needs a look. A level that the operator chose is theirs.
  const shared = { ...env, LOG_LEVEL: env['LOG_LEVEL'] || (verbose ? 'log' : 'warn') };
  const service = { ...shared, PORT: undefined, GRPC_PORT: '0', ADMIN_PORT: '0' };
  const labels = Array.from({ length: replicas }, (_, index) => `user-service-${index + 1}`);
  return {
    tiers: [
      { app: 'gateway', commands: [{ label: 'gateway', script: 'apps/gateway/dist/main.js', env: shared }] },
      {
        app: 'user-service',
        commands: labels.map((label) => ({ label, script: 'apps/user-service/dist/main.js', env: service })),
      },
    ],
    bounds: { ...defaultBounds, stopMs: drainMs(env) + END_MS },
    introduction,
  };
}

/** DRAIN_MS as the apps read it; what they refuse does not matter here, since they then do not start. */
function drainMs(env: NodeJS.ProcessEnv): number {
  return /^\d{1,9}$/.test(env['DRAIN_MS'] ?? '') ? Number(env['DRAIN_MS']) : 10_000;
}

function introduction(children: readonly Child[]): readonly string[] {
  const edge = children.find((child) => child.ready?.http)?.ready?.http;
  const width = Math.max(...children.map((child) => child.label.length));
  return [
    '',
    'Try it:',
    `  curl ${edge}/users/alice`,
    `  curl ${edge}/users`,
    `  curl -X POST ${edge}/users -H 'content-type: application/json' -d '{"name":"dora"}'`,
    '',
    `Change a number while it runs: edit ${SETTINGS_FILE}, or`,
    `  npm run config -- set user-service greeting.template 'Good day, {name}'`,
    '',
    'Live page, health and state:',
    ...children.map(({ label, ready }) => `  ${label.padEnd(width)}  ${ready?.admin ?? 'restarts'}`),
    '',
    'Ctrl-C drains and stops.',
  ];
}
