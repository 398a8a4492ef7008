export { FakeClock, settle } from './fake-clock.js';
export { eventually, type EventuallyOptions } from './eventually.js';
export { backendAvailable, findBinary, requireBinary, type BackendName } from './backends/binaries.js';
export { freePort, type Backend, type BackendCluster } from './backends/backend.js';
export { startConsulCluster, withConsul, type ConsulOptions } from './backends/consul.js';
export { startEtcdCluster, withEtcd, type EtcdOptions } from './backends/etcd.js';
export { AppProcess, type AppProcessOptions, type Ready } from './app-process.js';
export { Mesh } from './mesh.js';
