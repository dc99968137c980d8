import { describeEarlierToken } from '../../../src/requests/token-exists';
import type { EarlierToken } from '../../../src/temporal/earlier-token';
import { ORG, aRequest } from '../samples';

const token = (change: Partial<EarlierToken>): EarlierToken => ({
  runId: 'run',
  startTime: new Date(),
  state: 'abandoned',
  deliveryId: '8ffaa967-f367-493b-bb86-d0e9668a748f',
  publicApiKey: 'abcdefgh',
  sinksTried: [],
  receipt: null,
  request: aRequest(),
  ...change,
});
const DELETE = 'delete its API key abcdefgh in Atlas, which `live-migration-prep api-keys` finds. ';

it.each<[what: string, change: Partial<EarlierToken>, text: string]>([
  ['no sink was tried', {}, `may not have arrived: ${DELETE}`],
  [
    'sinks were tried',
    { sinksTried: ['drop', 'vault'] },
    `may not have arrived: look in sink drop, vault first; if the token is not there, ${DELETE}`,
  ],
  ['its id cannot be read', { deliveryId: null }, 'run run ended with a token, which may not have'],
])('an abandoned token says what to do if %s', (_what, change, text) => {
  expect(describeEarlierToken(`live-migration-prep/${ORG}`, token(change), null)).toContain(text);
});
