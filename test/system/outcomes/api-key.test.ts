import { describeRows, setScene, type Scene } from './describe-outcomes';
import { ROWS } from './rows';

jest.setTimeout(60_000);

let plain: Scene;
let enveloped: Scene;

beforeAll(async () => {
  [plain, enveloped] = await Promise.all([
    setScene('apiKey'),
    setScene('apiKey', { envelope: true, pretty: true }),
  ]);
});

describe('the outcome of a link-token request as an API key', () => {
  describeRows(ROWS.apiKey, () => plain);
});

describe('the outcome in an envelope', () => {
  describeRows(
    ROWS.apiKey.filter((row) => row.enveloped),
    () => enveloped,
  );
});
