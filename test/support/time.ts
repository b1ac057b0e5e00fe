/** What tests may say of time without a clock on the wall: a machine that does other things too makes no test fail. */

/** Milliseconds of processor time that this process spends on some work. */
export function processorMs(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** How often the event loop turns until some work is done: not once where the work occupies it. */
export async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let turn = setImmediate(function again() {
    turns++;
    turn = setImmediate(again);
  });
  await work.finally(() => clearImmediate(turn));
  return turns;
}
