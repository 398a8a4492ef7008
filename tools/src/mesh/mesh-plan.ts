import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isEdge, root } from '../apps.js';
import { defaultBounds, type Child, type ChildBounds } from './child.js';
import type { Tier } from './mesh.js';
import type { MeshOptions } from './options.js';

/** What can be edited while the mesh runs. */
const SETTINGS_FILE = 'config/holdfast.yaml';

/** Time beyond an app's own drain for closing what is left and for the process to end, in milliseconds. */
const END_MS = 5_000;

interface MeshPlan {
  readonly tiers: readonly Tier[];
  readonly bounds: ChildBounds;
  readonly introduction: (children: readonly Child[]) => readonly string[];
}

/**
 * One process of each edge and the wanted number of each service, as `options` and the operator's environment want them.
 * @param apps from the edge inwards
 */
export function planMesh(apps: readonly string[], options: MeshOptions, env: NodeJS.ProcessEnv): MeshPlan {
  const { replicas, verbose } = options;
  // An app logs all it does; the screen is for what needs a look. A level that the operator chose is theirs.
  const shared = { ...env, LOG_LEVEL: env['LOG_LEVEL'] || (verbose ? 'log' : 'warn') };
  const tierOf = (app: string): Tier => {
    const labels = isEdge(app) ? [app] : Array.from({ length: replicas }, (_, index) => `${app}-${index + 1}`);
    const own = app === apps[0] ? shared : { ...shared, ...withoutPorts, ...databaseOf(app, env) };
    return { app, commands: labels.map((label) => ({ label, script: `apps/${app}/dist/main.js`, env: own })) };
  };
  return {
    tiers: apps.map(tierOf),
    bounds: { ...defaultBounds, stopMs: drainMs(env) + END_MS },
    introduction,
  };
}

/** The operator's ports are the first edge's: of all others there may be several, and callers learn theirs from the registry. */
const withoutPorts = { PORT: '0', GRPC_PORT: '0', ADMIN_PORT: '0' };

/** Each service keeps its data in a place of its own, also where the operator says where. */
function databaseOf(app: string, { DATABASE_URL }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return DATABASE_URL === undefined ? {} : { DATABASE_URL: DATABASE_URL.replaceAll('{service}', app) };
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
    ...routesBeside('users').map((route) => `  curl ${edge}/${route}`),
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

/** The gateway's other routes: the folders with a controller of their name, as Nest's generators and ours make them. */
function routesBeside(known: string): readonly string[] {
  const folder = join(root, 'apps/gateway/dist');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter(
    (name) => name !== known && existsSync(join(folder, name, `${name}.controller.js`)),
  );
}
