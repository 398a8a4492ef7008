import { describe } from 'vitest';
import type { TransportOptions } from '../transport-options.js';
import type { Transport } from '../transport.js';
import { describeAnswers } from './conformance-answers.js';
import { describeEndings } from './conformance-endings.js';
import { describeLinks } from './conformance-links.js';
import { describeStreams } from './conformance-streams.js';
import type { MakeServer } from './echo-server.js';

/** One side or both of a transport, to be held to what all transports promise. */
export interface TransportUnderTest {
  /** The calling side. */
  transport(options: TransportOptions): Transport;
  /** The serving side, not yet listening; the suite adds the handlers itself. */
  readonly server: MakeServer;
}

/**
 * What every transport must do, over real sockets on loopback: one suite for all of them. Each side may be tried against
 * another transport's other side, which is how a new one is compared with the reference.
 */
export function describeTransport(name: string, subject: TransportUnderTest): void {
  describe(`transport ${name}`, () => {
    describeAnswers(subject);
    describeStreams(subject);
    describeEndings(subject);
    describeLinks(subject);
  });
}
