import path from 'node:path';

/** Settings that lead out of this machine. Proxies too: what is embedded listens on 127.0.0.1. */
const LEADS_OUTSIDE = /^(TEMPORAL_|MONGODB_ATLAS_|LIVE_MIGRATION_PREP_)|_proxy$/i;

/**
 * Variables with which a Temporal client finds this server, and not one of the user's own profiles.
 */
export function temporalEnv(address: string) {
  return {
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: 'default',
    TEMPORAL_CONFIG_FILE: path.join(__dirname, 'dev-server-profile.toml'),
  };
}

/**
 * Builds the environment of a process that reaches the Temporal at this address, no other and no
 * Atlas.
 */
export function devServerEnv(address: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !LEADS_OUTSIDE.test(name));
  return { ...Object.fromEntries(inherited), ...temporalEnv(address) };
}
