import { addressOf, type Instance } from '@holdfast/discovery';
import { Member } from './balancer/member.js';
import type { Link } from './transport.js';

/** One instance of a target as this process sees it: the way to it, and what was learned about it. It outlives every update of the view. */
export class Peer extends Member {
  readonly link: Link;
  /** What the registry says of it now. */
  instance: Instance;
  /** An operator has said that it gets no more calls. */
  drained = false;

  constructor(instance: Instance, link: Link) {
    super(addressOf(instance), instance);
    this.instance = instance;
    this.link = link;
  }
}
