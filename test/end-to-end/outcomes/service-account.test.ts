import { describeOutcomes } from './describe-outcomes';

jest.setTimeout(30_000);

describe('the outcome of a link-token call as a service account', () => {
  describeOutcomes('serviceAccount');
});
