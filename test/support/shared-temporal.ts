import type { EmbeddedTemporal } from '../../dev/temporal/embedded-temporal';

/** How the address of the one server that all test files share reaches their processes. */
export const SHARED_TEMPORAL_ADDRESS = 'TEST_SHARED_TEMPORAL_ADDRESS';

/** Between jest's global set-up and teardown, which run in one process. */
export const shared: { temporal: EmbeddedTemporal | null } = { temporal: null };
