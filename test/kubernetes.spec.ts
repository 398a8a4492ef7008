import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { backendAvailable } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { CLOSING_MS } from '../libs/service/src/run-service.js';
import { imageFacts } from './deployment/image-facts.js';
import { read, rendered, typeErrors, type Manifest } from './deployment/manifests.js';
import { readAll, unknownSettings } from './deployment/settings.js';

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: object }[];
  readonly envFrom: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
  readonly resources: { readonly requests: object; readonly limits: object };
  readonly securityContext: object;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Workload {
  readonly strategy?: object;
  readonly selector: { readonly matchLabels: Record<string, string> };
  readonly template: {
    readonly metadata: { readonly labels: Record<string, string>; readonly annotations?: Record<string, string> };
    readonly spec: {
      readonly serviceAccountName: string;
      readonly automountServiceAccountToken: boolean;
      readonly terminationGracePeriodSeconds: number;
      readonly securityContext: object;
      readonly topologySpreadConstraints: readonly { readonly topologyKey: string }[];
      readonly containers: readonly Container[];
    };
  };
}

interface Policy {
  readonly podSelector: { readonly matchLabels?: Record<string, string> };
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}

interface Rule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports?: readonly { readonly port: string | number }[];
}

interface Peer {
  readonly podSelector?: { readonly matchLabels?: Record<string, string> };
}

const skip = !backendAvailable('kubectl');
const folders = ['base', ...['consul', 'kubernetes', 'traefik', 'istio'].map((name) => `overlays/${name}`)];
const all = new Map(skip ? [] : folders.map((folder) => [folder, rendered(folder)]));
const of = (folder: string, kind: string) => all.get(folder)!.filter((manifest) => manifest.kind === kind);
const named = (folder: string, kind: string, name: string) =>
  of(folder, kind).find(({ metadata }) => metadata.name === name)!;
const workload = ({ spec }: Manifest) => spec as Workload;
const appOf = (deployment: Manifest) => workload(deployment).template.spec.containers[0]!;
const nameOf = ({ metadata }: Manifest) => metadata.name;
const apps = readdirSync(join(import.meta.dirname, '../apps')).toSorted();
/** Which services an app calls, as its root module says it. */
const targetsOf = (app: string) =>
  [...read(`apps/${app}/src/app.module.ts`).matchAll(/RpcModule\.client\([^)]*target: '([^']+)'/g)]
    .map(([, target]) => target!)
    .toSorted();
const byName = (name: string) => ({ 'app.kubernetes.io/name': name });
const image = imageFacts();
const sources = (folder: string) =>
  readdirSync(join(import.meta.dirname, '..', folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\/src\/.*\.ts$/.test(name) && !name.includes('node_modules') && !name.endsWith('.spec.ts'))
    .map((name) => read(join(folder, name)))
    .join('\n');

const peers = (rules: readonly Rule[] | undefined, side: 'from' | 'to') =>
  (rules ?? []).map(
    (rule) => [rule[side]?.map((peer) => peer.podSelector?.matchLabels), rule.ports?.map(({ port }) => port)] as const,
  );

const serviceWith = (changes: object): Manifest => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 's' },
  spec: { ports: [{ port: 1, ...changes }] },
});

/** The environment of a container, as the kubelet puts it together: `$(NAME)` is replaced in values of `env`, in order. */
function envOf(folder: string, container: Container): Record<string, string> {
  const env: Record<string, string> = { ...image.env };
  for (const { configMapRef } of container.envFrom)
    Object.assign(env, named(folder, 'ConfigMap', configMapRef.name).data);
  for (const { name, value } of container.env) {
    // What is known in a cluster alone is an address, or absent.
    const known = value ?? (name === 'ZONE' ? '' : '127.0.0.9');
    env[name] = known.replace(/\$\((\w+)\)/g, (whole, other: string) => env[other] ?? whole);
  }
  return env;
}

describe.skipIf(skip).each(folders)('k8s/%s', (folder) => {
  it('has no field that is missing, of another type, or unknown to Kubernetes', () => {
    expect(typeErrors(all.get(folder)!)).toEqual([]);
  });

  it('has everything for each app', () => {
    for (const kind of [
      'Deployment',
      'Service',
      'ServiceAccount',
      'PodDisruptionBudget',
      'HorizontalPodAutoscaler',
      'NetworkPolicy',
    ]) {
      expect(of(folder, kind).map(nameOf), kind).toEqual(expect.arrayContaining(apps));
    }
    expect(of(folder, 'Deployment').map(nameOf).toSorted()).toEqual(apps);
  });

  it('gives each app settings that it knows and can start with', async () => {
    for (const deployment of of(folder, 'Deployment')) {
      const app = nameOf(deployment);
      const env = envOf(folder, appOf(deployment));
      const given = Object.keys(env).filter((name) => !Object.hasOwn(image.env, name));
      // For other settings to be made of.
      expect(unknownSettings(app, given).filter((name) => name !== 'HOST_IP')).toEqual([]);
      const settings = await readAll(app, env);
      expect(settings.ADMIN_HOST).toBe('0.0.0.0');
      expect(settings.REGISTRY_URL).not.toContain('$(');
    }
  });

  it('names only ports that the image listens on, and paths that the admin port has', () => {
    const { PORT, GRPC_PORT, ADMIN_PORT } = image.env;
    const listened: Record<string, number> = { http: Number(PORT), grpc: Number(GRPC_PORT), admin: Number(ADMIN_PORT) };
    const admin = read('libs/service/src/admin.module.ts');
    for (const deployment of of(folder, 'Deployment')) {
      const { ports, startupProbe, readinessProbe, livenessProbe } = appOf(deployment);
      expect(ports.length).toBe(2);
      for (const { name, containerPort } of ports) expect(containerPort).toBe(listened[name]);
      expect([startupProbe, readinessProbe, livenessProbe].map(({ httpGet }) => httpGet)).toEqual([
        { path: '/livez', port: 'admin' },
        { path: '/readyz', port: 'admin' },
        { path: '/livez', port: 'admin' },
      ]);
      for (const path of ['livez', 'readyz']) expect(admin).toContain(`@Get('${path}')`);
      const service = named(folder, 'Service', nameOf(deployment)).spec as { ports: { targetPort: string }[] };
      for (const { targetPort } of service.ports) expect(ports.map(({ name }) => name)).toContain(targetPort);
    }
  });

  it('selects only what there is', () => {
    const workloads = [...of(folder, 'Deployment'), ...of(folder, 'StatefulSet')];
    const labels = workloads.map((one) => workload(one).template.metadata.labels);
    const finds = (wanted: Record<string, string>) =>
      labels.some((has) => Object.entries(wanted).every(([key, value]) => has[key] === value));
    const selectors: Record<string, string>[] = [
      ...of(folder, 'Service').map(({ spec }) => (spec as { selector: Record<string, string> }).selector),
      ...[...workloads, ...of(folder, 'PodDisruptionBudget')].map((one) => workload(one).selector.matchLabels),
      ...of(folder, 'NetworkPolicy').flatMap(({ spec }) => {
        const { matchLabels } = (spec as Policy).podSelector;
        return matchLabels ? [matchLabels] : [];
      }),
    ];
    expect(selectors.filter((wanted) => !finds(wanted))).toEqual([]);
    for (const { spec } of of(folder, 'HorizontalPodAutoscaler')) {
      const { scaleTargetRef } = spec as { scaleTargetRef: { name: string } };
      expect(apps).toContain(scaleTargetRef.name);
    }
  });

  it('lets an app reach the services that it calls, and nobody else', () => {
    const policy = (name: string) => named(folder, 'NetworkPolicy', name).spec as Policy;
    expect(targetsOf('gateway')).toContain('user-service');
    for (const app of apps) {
      const targets = targetsOf(app);
      const asked = peers(policy(app).egress, 'to');
      expect(asked, app).toHaveLength(targets.length);
      expect(asked).toEqual(expect.arrayContaining(targets.map((target) => [[byName(target)], [50051]])));
      const callers = apps.filter((other) => targetsOf(other).includes(app));
      if (app === 'gateway') continue;
      const admitted = peers(policy(app).ingress, 'from');
      expect(admitted.flatMap(([from]) => from)).toHaveLength(callers.length);
      expect(admitted.flatMap(([from]) => from)).toEqual(expect.arrayContaining(callers.map(byName)));
      for (const [, ports] of admitted) expect(ports).toEqual(['grpc']);
    }
    expect(policy('default-deny')).toMatchObject({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  });

  it('gives a process all the time that its end may take', async () => {
    for (const deployment of of(folder, 'Deployment')) {
      const { lifecycle } = appOf(deployment);
      const { DRAIN_MS } = await readAll(nameOf(deployment), envOf(folder, appOf(deployment)));
      const needed = lifecycle.preStop.sleep.seconds + (DRAIN_MS + CLOSING_MS) / 1_000;
      const { terminationGracePeriodSeconds } = workload(deployment).template.spec;
      expect(terminationGracePeriodSeconds).toBeGreaterThan(needed);
      expect(terminationGracePeriodSeconds).toBeLessThan(needed + 5);
    }
  });

  it('replaces without a gap, spreads, and gives no right that is not needed', () => {
    for (const deployment of of(folder, 'Deployment')) {
      const { strategy, template } = workload(deployment);
      expect(strategy).toEqual({ rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } });
      const { spec } = template;
      expect(spec.topologySpreadConstraints.map(({ topologyKey }) => topologyKey)).toEqual([
        'topology.kubernetes.io/zone',
        'kubernetes.io/hostname',
      ]);
      expect(spec.serviceAccountName).toBe(nameOf(deployment));
      const [user, group] = image.user.split(':').map(Number);
      expect(spec.securityContext).toEqual({
        runAsNonRoot: true,
        runAsUser: user,
        runAsGroup: group,
        fsGroup: group,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      const container = appOf(deployment);
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(Object.keys(container.resources.requests).toSorted()).toEqual(['cpu', 'memory']);
      expect(container.resources.limits).toHaveProperty('memory');
      const writable = container.volumeMounts.map(({ mountPath }) => mountPath);
      for (const name of ['SNAPSHOT_DIR', 'DATABASE_URL']) {
        expect(
          writable.some((path) => image.env[name]!.replace('file:', '').startsWith(`${path}/`)),
          name,
        ).toBe(true);
      }
      expect(writable).toContain(`${image.workdir}/config`);
    }
  });

  it('pins every image', () => {
    const images = [...of(folder, 'Deployment'), ...of(folder, 'StatefulSet')].flatMap((one) =>
      workload(one).template.spec.containers.map((container) => container.image),
    );
    expect(images.filter((name) => !/:v?\d+\.\d+\.\d+/.test(name))).toEqual([]);
  });
});

describe.skipIf(skip)('the overlays', () => {
  const registryOf = (folder: string) => envOf(folder, appOf(of(folder, 'Deployment')[0]!))['REGISTRY_URL'];

  it('differ in where instances find each other', () => {
    expect(Object.fromEntries(folders.map((folder) => [folder, registryOf(folder)]))).toEqual({
      base: 'dns://{service}.holdfast.svc.cluster.local:50051',
      'overlays/consul': 'consul://127.0.0.9:8500',
      'overlays/kubernetes': 'k8s:',
      'overlays/traefik': 'k8s:',
      'overlays/istio': 'static:*={service}.holdfast.svc.cluster.local:50051',
    });
  });

  it('give the token to who watches the API, with the right to nothing else', () => {
    for (const folder of folders) {
      const watches = registryOf(folder) === 'k8s:';
      for (const deployment of of(folder, 'Deployment')) {
        expect(workload(deployment).template.spec.automountServiceAccountToken).toBe(watches);
      }
      const rules = of(folder, 'Role').map((role) => (role as unknown as { rules: unknown }).rules);
      const right = { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] };
      expect(rules).toEqual(watches ? [[right]] : []);
    }
  });

  it('leave the choice of the instance, and no retry, to Istio', () => {
    const routes = of('overlays/istio', 'VirtualService').map(
      ({ spec }) => spec as { hosts: string[]; http: { retries: object }[] },
    );
    expect(routes.flatMap(({ hosts }) => hosts).toSorted()).toEqual(
      apps.map((app) => `${app}.holdfast.svc.cluster.local`),
    );
    for (const { http } of routes) expect(http.map(({ retries }) => retries)).toEqual([{ attempts: 0 }]);
    for (const service of of('overlays/istio', 'Service')) expect(service.spec).not.toHaveProperty('clusterIP');
    expect(named('overlays/istio', 'PeerAuthentication', 'default').spec).toEqual({ mtls: { mode: 'STRICT' } });
  });

  it('start with the settings that the repository has', () => {
    expect(read('k8s/base/holdfast.yaml')).toBe(read('config/holdfast.yaml'));
  });

  it('scale by metrics that the code has', () => {
    const text = apps.map((app) => read(`k8s/base/${app}/scaling.yaml`)).join('\n');
    const metrics = [...text.matchAll(/\b(?:holdfast_|http_|grpc_)\w+/g)].map(([name]) => name);
    expect(metrics.length).toBeGreaterThan(1);
    const code = sources('libs');
    for (const name of metrics) {
      expect(code).toContain(`'${name}'`);
      expect(read('k8s/prometheus-adapter.values.yaml')).toContain(name);
    }
  });
});

describe.skipIf(skip)('the check of fields', () => {
  it('sees what is unknown, missing or of another type, however deep', () => {
    expect(typeErrors([serviceWith({})])).toEqual([]);
    expect(typeErrors([serviceWith({ prot: 1 })])[0]).toMatch(/^Service s: .*'"prot"' does not exist/);
    expect(typeErrors([serviceWith({ port: '1' })])[0]).toMatch(
      /^Service s: .*'string' is not assignable to type 'number'/,
    );
    expect(typeErrors([{ ...serviceWith({}), spec: { ports: [{ name: 'x' }] } }])[0]).toMatch(
      /^Service s: .*"?port"?' is missing/,
    );
  });
});
