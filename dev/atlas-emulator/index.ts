export type { Fault } from './faults';
export { DEFAULTS, DEFAULT_SEED, type SeedInput } from './seed';
export { startAtlasEmulator, type AtlasEmulator, type AtlasEmulatorOptions } from './server';
