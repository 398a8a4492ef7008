export { InjectRpc, RpcModule, targetOf } from './rpc.module.js';
export type { RpcClient, RpcClientOptions } from './client.js';
export type { CallOptions } from './attempts.js';
export { RpcTargets, type RpcTargetsOptions } from './rpc-targets.js';
export { balancerNames, defaultBalancer, type BalancerName } from './balancer/picker.js';
export { defaultMaxPeers } from './fleet.js';
export type { Target } from './target.js';
export type { PeerState } from './peer-state.js';
export type { ObserveRpcClient, ObserveRpcServer, RpcClientObserver } from './rpc-observer.js';
export { RpcErrorFilter } from './server/rpc-error-filter.js';
export type { RpcServer, RpcServerOptions } from './server/rpc-server.js';
export { GrpcJsServer } from './grpc-js/grpc-js-server.js';
export { GrpcJsTransport } from './grpc-js/grpc-js-transport.js';
export {
  compressionChoice,
  connectionsChoice,
  openTransport,
  rpcServer,
  transportChoice,
  Transports,
  type TransportChoices,
  type TransportName,
} from './transports.js';
export { healthProbe } from './health-probe.js';
export { LinkFailure, type Metadata } from './transport.js';
export type { ServiceDefinition } from './method.js';
export { registerMeshResolver } from './grpc-js/mesh-resolver.js';
export type { ClientTls, Compression, Keepalive, ServerTls, TransportOptions } from './transport-options.js';
