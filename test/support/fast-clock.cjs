/** Preloaded into a process: its clock is ten minutes fast. */
const AHEAD_MS = 600_000;
const now = Date.now;
const fast = () => now() + AHEAD_MS;
globalThis.Date = new Proxy(Date, {
  construct: (target, args) => Reflect.construct(target, args.length === 0 ? [fast()] : args),
  get: (target, name) => (name === 'now' ? fast : Reflect.get(target, name)),
});
