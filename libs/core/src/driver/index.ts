// What the authors of drivers for registries and stores need, beside the port that their driver is for.
export { Bell } from './bell.js';
export { StoreAddress } from './store-address.js';
export { NoAnswer, VerbScope, type VerbBounds } from './verb-scope.js';
