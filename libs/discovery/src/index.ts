export { Discovery, type DiscoveryOptions } from './discovery.js';
export { ServiceView, type ViewOrigin } from './service-view.js';
export { Registration } from './registration.js';
export { addressOf } from './instances.js';
export { FileSnapshots, type Snapshots } from './snapshots.js';
export { tcpProbe, type Probe } from './probe.js';
export type { ContactState } from './contact.js';
export type { Instance } from './driver.js';
