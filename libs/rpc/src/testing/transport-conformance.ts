import { describe } from 'vitest';
import { describeAnswers } from './conformance-answers.js';
import { describeEndings } from './conformance-endings.js';
import { describeInterop } from './conformance-interop.js';
import { describeLinks } from './conformance-links.js';
import type { TransportUnderTest } from './conformance-fixture.js';
import { describeStreams } from './conformance-streams.js';

export type { TransportUnderTest } from './conformance-fixture.js';

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
    describeInterop(subject);
  });
}
