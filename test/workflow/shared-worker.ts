import { setUp } from '../support/set-up';
import { startScriptedWorker } from './scripted-worker';

/**
 * The scripted worker of the tests that need nothing of their own; `group.test.ts` runs them with
 * one.
 */
export const worker = setUp(startScriptedWorker);
