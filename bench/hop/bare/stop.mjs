/** Says that the process serves, and ends it when it is told to: a process without a framework has nothing to drain. */
export function stopOnSignal() {
  process.once('SIGTERM', () => process.exit(0));
  process.once('disconnect', () => process.exit(0));
  process.send?.({ type: 'ready' });
}
