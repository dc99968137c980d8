const { isMainThread } = require('node:worker_threads');

/** Preloaded into a process: its clock is wrong by the milliseconds of CLOCK_OFFSET_MS. */
const offsetMs = Number(process.env['CLOCK_OFFSET_MS']);
const now = Date.now;
const wrong = () => now() + offsetMs;
globalThis.Date = new Proxy(Date, {
  construct: (target, args) => Reflect.construct(target, args.length === 0 ? [wrong()] : args),
  get: (target, name) => (name === 'now' ? wrong : Reflect.get(target, name)),
});

// The SDK gives the lines of its log the time of Core, and holds back those of the future.
if (isMainThread && process.argv[1]?.endsWith('worker.js')) {
  const { native } = require('@temporalio/core-bridge');
  const { getTimeOfDay } = native;
  native.getTimeOfDay = () => getTimeOfDay() + BigInt(offsetMs) * 1_000_000n;
}
