export { prepareLiveMigration } from './prepare-live-migration';
export { prepareOnSchedule } from './prepare-on-schedule';
export { revokeLink } from './revoke-link';
export { checkWorker } from './check-worker';
