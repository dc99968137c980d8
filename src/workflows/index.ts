export { prepareLiveMigration } from './prepare-live-migration';
export { redeliverLinkToken } from './redeliver-link-token';
