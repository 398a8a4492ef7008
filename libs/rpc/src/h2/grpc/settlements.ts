/**
 * How many calls this process began and how many ended, on both sides. Each call has one place where it ends, which counts
 * here; that the sums match, and that nothing ended again, is what tests hold against whatever peers and callers do.
 */
export const settlements = {
  /** Calls that were made, or came. */
  begun: 0,
  ended: 0,
  /** Ends of calls that had ended: each is a defect, without effect on the call. */
  again: 0,
};
