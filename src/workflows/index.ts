export { prepareLiveMigration } from './prepare-live-migration';
export { prepareOnSchedule } from './prepare-on-schedule';
export { checkWorker } from './check-worker';
export { refuseUnknownType as default } from './unknown-type';
