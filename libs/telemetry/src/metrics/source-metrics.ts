import type { Registry } from 'prom-client';
import type { MeshView } from './mesh-view.js';
import { pulledGauge } from './pulled.js';

/** How much of a store's own name for its state is shown: enough to tell two apart. */
const REVISION_CHARS = 32;

/** How this process stands with where it learns from, the registry and the configuration stores, and whether it serves. */
export function sourceMetrics(registry: Registry, { config, discovery, clock, ready }: MeshView): void {
  pulledGauge(registry, {
    name: 'holdfast_ready',
    help: '1 while traffic should come to this process.',
    collect: (set) => set({}, ready() ? 1 : 0),
  });
  pulledGauge(registry, {
    name: 'holdfast_registry_up',
    help: '1 while the registry answers.',
    collect: (set) => set({}, discovery.contact.value.status === 'up' ? 1 : 0),
  });
  pulledGauge(registry, {
    name: 'holdfast_registry_age_seconds',
    help: 'For how long the registry has not answered: the age of what is known of it. 0 while it answers.',
    collect: (set) => {
      const { status, since } = discovery.contact.value;
      set({}, status === 'up' ? 0 : Math.max(0, (clock.wallTime() - since) / 1_000));
    },
  });
  pulledGauge(registry, {
    name: 'holdfast_service_instances',
    help: 'Instances of a service that this process knows of.',
    labels: ['service'],
    collect: (set) => {
      for (const { service, instances } of discovery.views) set({ service }, instances.value.length);
    },
  });
  pulledGauge(registry, {
    name: 'holdfast_service_held_instances',
    help: 'Instances that are kept against the registry’s word, because they still answer.',
    labels: ['service'],
    collect: (set) => {
      for (const { service, held } of discovery.views) set({ service }, held.length);
    },
  });
  pulledGauge(registry, {
    name: 'holdfast_config_up',
    help: '1 while a configuration store answers.',
    labels: ['store'],
    collect: (set) => {
      for (const { name, contact } of config.status.value.layers) set({ store: name }, contact === 'up' ? 1 : 0);
    },
  });
  pulledGauge(registry, {
    name: 'holdfast_config_refused',
    help: 'Settings in the stores that are refused, so that what was in use before still is.',
    collect: (set) => set({}, config.status.value.problems.length),
  });
  pulledGauge(registry, {
    name: 'holdfast_config_revision_info',
    help: 'Always 1; its label is the store’s own name for what was read last.',
    labels: ['store', 'revision'],
    collect: (set) => {
      for (const { name, cursor = 'none' } of config.status.value.layers) {
        set({ store: name, revision: cursor.slice(0, REVISION_CHARS) }, 1);
      }
    },
  });
}
