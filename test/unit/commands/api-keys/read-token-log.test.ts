import { mergeOrigins } from '../../../../src/commands/api-keys/match-keys';
import { readTokenLog } from '../../../../src/commands/api-keys/read-token-log';
import { ORG, OTHER_ORG, SOURCE_ORG } from '../../samples';
import { temporaryFiles } from '../../temporary-folder';

const { fileIn, write } = temporaryFiles();

const TOKEN = {
  orgId: ORG,
  sourceOrgId: SOURCE_ORG,
  deliveryId: '8ffaa967-f367-493b-bb86-d0e9668a748f',
  createdAt: '2026-11-25T09:00:00.500Z',
  runId: '01a2124f-52f7-7310-b00d-722d91ad8ee7',
};
const RECEIVED = { ...TOKEN, msg: 'link-token received' };
const CREATED = { ...TOKEN, msg: 'link-token created', sink: 'drop' };
const UNDELIVERED = { ...CREATED, msg: 'link-token not delivered', type: 'SinkUnavailable' };
const DELIVERED = { ...CREATED, msg: 'link-token delivered', location: 'file tokens/x.link-token' };
const UNCONFIRMED = {
  msg: 'link-token unconfirmed',
  orgId: ORG,
  sourceOrgId: null,
  runId: TOKEN.runId,
  startedAt: '2026-11-25T09:00:00.500Z',
  endedAt: '2026-11-25T09:00:02.500Z',
  reason: 'Atlas returned 503',
};
const ofAnother = (line: object) => ({ ...line, orgId: OTHER_ORG, note: ORG });

/** Reads the tokens and the attempts of an organization from files. */
async function read(files: readonly string[]) {
  const origins = mergeOrigins([], await readTokenLog(files, ORG));
  return {
    tokens: origins.filter(({ type }) => type !== 'attempt'),
    attempts: origins.filter(({ type }) => type === 'attempt'),
  };
}

const toText = (lines: (object | string)[]) =>
  lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');

it.each<
  [
    what: string,
    lines: (object | string)[],
    tokens: [state: string, sink: string | null][],
    attempts: number,
  ]
>([
  ['a token that was received', [RECEIVED], [['unknown', null]], 0],
  ['one whose run delivered it', [RECEIVED, CREATED, DELIVERED], [['delivered', 'drop']], 0],
  ['a token that was created', [CREATED], [['unknown', null]], 0],
  ['one whose delivery failed', [CREATED, UNDELIVERED], [['unknown', null]], 0],
  ['one that was delivered', [CREATED, UNDELIVERED, DELIVERED], [['delivered', 'drop']], 0],
  ['one whose lines come in another order', [DELIVERED, CREATED], [['delivered', 'drop']], 0],
  ['an unconfirmed attempt', [UNCONFIRMED], [], 1],
  [
    'what is there twice once',
    [DELIVERED, DELIVERED, UNCONFIRMED, UNCONFIRMED],
    [['delivered', 'drop']],
    1,
  ],
  ['another organization', [ofAnother(DELIVERED), ofAnother(UNCONFIRMED)], [], 0],
  [
    'other lines',
    ['', 'started', `{"msg":"link-token delivered","orgId":"${ORG}`, { orgId: ORG }, `"${ORG}"`],
    [],
    0,
  ],
  [
    'a malformed time',
    [
      { ...CREATED, createdAt: 'today' },
      { ...UNCONFIRMED, endedAt: 5 },
    ],
    [],
    0,
  ],
])('reads %s', async (_what, lines, expected, expectedAttempts) => {
  const { tokens, attempts } = await read([write('worker-1.log', toText(lines))]);
  expect(tokens.map((token) => [token.state, token.type !== 'attempt' && token.sink])).toEqual(
    expected,
  );
  expect(attempts).toHaveLength(expectedAttempts);
});

it('reads several files, with the run and the time of each', async () => {
  const files = [
    write('worker-1.log', toText([CREATED])),
    write('worker-2.log', toText([UNCONFIRMED, DELIVERED])),
  ];
  const { tokens, attempts } = await read(files);
  const atMs = Date.parse(TOKEN.createdAt);
  expect(tokens).toMatchObject([
    {
      workflowId: `live-migration-prep/${ORG}/${SOURCE_ORG}`,
      runId: TOKEN.runId,
      span: { fromMs: atMs - 80_000 },
    },
  ]);
  expect(attempts).toMatchObject([
    {
      workflowId: `live-migration-prep/${ORG}`,
      reason: 'Atlas returned 503',
      span: { toMs: atMs + 12_000 },
    },
  ]);
});

it('takes a token for received only if no other line has it', async () => {
  const other = { ...RECEIVED, deliveryId: '8ffaa967-f367-493b-bb86-d0e9668a748e' };
  const { tokens } = await read([write('worker-1.log', toText([RECEIVED, other, CREATED]))]);
  expect(tokens).toMatchObject([
    { type: 'token', deliveryId: TOKEN.deliveryId },
    { type: 'received', deliveryId: other.deliveryId },
  ]);
});

it.each([
  ['Temporal’s times of its creation, if the line is there', [CREATED, DELIVERED], 10],
  ['its arrival, if the line of its creation is lost', [DELIVERED], 80],
])('finds the key of a token by %s', async (_what, lines, secondsBefore) => {
  const times = { startedAt: TOKEN.createdAt, endedAt: TOKEN.createdAt };
  const text = toText(lines.map((line) => (line === CREATED ? { ...line, ...times } : line)));
  const { tokens } = await read([write('worker-1.log', text)]);
  const fromMs = Date.parse(TOKEN.createdAt) - secondsBefore * 1000;
  expect(tokens).toMatchObject([{ state: 'delivered', sink: 'drop', span: { fromMs } }]);
});

it('names a file that cannot be read', async () => {
  const file = fileIn('nowhere.log');
  await expect(readTokenLog([file], ORG)).rejects.toThrow(
    `--record ${file} cannot be read (ENOENT): correct its path`,
  );
});
