/**
 * How one attempt ended, from the point of view of the caller that waited for it:
 *
 * - `success`: a proper answer.
 * - `failure`: the instance's or its link's fault.
 * - `timeout`: no answer within the time that the attempt had.
 * - `overload`: the instance refused for want of capacity. It gets less, but it is not ejected: it knows its limits.
 * - `mistake`: the caller's own (NOT_FOUND, INVALID_ARGUMENT …). The instance lives; its speed and success are not judged by it.
 * - `ignored`: nobody waited for the answer any more, or nothing was sent. It says nothing.
 */
export type Outcome = 'success' | 'failure' | 'timeout' | 'overload' | 'mistake' | 'ignored';
