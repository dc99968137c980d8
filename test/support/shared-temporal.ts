import type { EmbeddedTemporal } from '../../dev/temporal/embedded-temporal';

/** The variable with the address of the server that all test files share. */
export const SHARED_TEMPORAL_ADDRESS = 'TEST_SHARED_TEMPORAL_ADDRESS';

/** Between jest's global set-up and teardown, which run in one process. */
export const shared: { temporal: EmbeddedTemporal | null } = { temporal: null };
