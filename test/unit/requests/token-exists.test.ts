import { describeEarlierToken } from '../../../src/requests/token-exists';
import { ORG, aReceipt, aRequest } from '../samples';

const describeWith = (receipt: ReturnType<typeof aReceipt> | null, request: object | null) =>
  describeEarlierToken(
    `live-migration-prep/${ORG}`,
    { runId: 'run', receipt, request: aRequest() },
    request,
  );

it.each<[what: string, text: string, expected: string]>([
  [
    'where it is, if its receipt is known',
    describeWith(aReceipt(), null),
    `these organizations: it is in ${aReceipt().location}. Start with "again": "run" (`,
  ],
  ['only that it was delivered, otherwise', describeWith(null, null), 'these organizations. Start'],
  [
    'in what the requests differ',
    describeWith(null, aRequest({ sink: 'other' })),
    " That run's request differs in sink. Start with",
  ],
])('a delivered token says %s', (_what, text, expected) => {
  expect(text).toContain(expected);
});
