export { Balancer, type BalancerOptions, type Probes } from './balancer.js';
export type { PickCall } from './pick-call.js';
export { Member, type Listed } from './member.js';
export type { Outcome } from './outcome.js';
export { balancerNames, defaultBalancer, type BalancerName } from './picker.js';
export { Prober, type Health, type HealthCheck } from './prober.js';
