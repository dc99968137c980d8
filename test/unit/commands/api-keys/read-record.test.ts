import { gzipSync } from 'node:zlib';
import { addRecord } from '../../../../src/commands/api-keys/add-record';
import { readRecord } from '../../../../src/commands/api-keys/read-record';
import { ORG, OTHER_ORG, SOURCE_ORG } from '../../samples';
import { temporaryFiles } from '../../temporary-folder';

const { fileIn, write } = temporaryFiles();

const TIME = { time: '2026-11-25T09:00:05.000Z' };
const TOKEN = {
  ...TIME,
  orgId: ORG,
  sourceOrgId: SOURCE_ORG,
  deliveryId: '8ffaa967-f367-493b-bb86-d0e9668a748f',
  publicApiKey: 'abcdefgh',
  createdAt: '2026-11-25T09:00:00.500Z',
  runId: '01a2124f-52f7-7310-b00d-722d91ad8ee7',
};
const RECEIVED = { ...TOKEN, msg: 'link-token received' };
const CREATED = { ...TOKEN, msg: 'link-token created', sink: 'drop' };
const UNDELIVERED = { ...CREATED, msg: 'link-token not delivered', type: 'SinkUnavailable' };
const DELIVERED = { ...CREATED, msg: 'link-token delivered', location: 'file tokens/x.link-token' };
const UNCONFIRMED = {
  ...TIME,
  msg: 'link-token unconfirmed',
  orgId: ORG,
  sourceOrgId: null,
  runId: TOKEN.runId,
  startedAt: '2026-11-25T09:00:00.500Z',
  endedAt: '2026-11-25T09:00:02.500Z',
  reason: 'Atlas returned 503',
};
const ofAnother = (line: object) => ({ ...line, orgId: OTHER_ORG, note: ORG });

const NOTHING = { sinceMs: Infinity, tokens: [], attempts: [] };

/** Reads the tokens and the attempts of an organization from files. */
const read = async (files: readonly string[]) =>
  addRecord(NOTHING, { ...(await readRecord(files, ORG)), sinceMs: Infinity });

const at = (second: number) => `2026-11-25T09:00:0${second}.000Z`;
/** A line about nothing that is read. */
const lineAt = (second: number) => ({ time: at(second), msg: 'worker starts' });
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
    [
      lineAt(1),
      '',
      'started',
      `{"msg":"link-token delivered","orgId":"${ORG}`,
      { ...lineAt(2), orgId: ORG },
      `"${ORG}"`,
    ],
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
  expect(tokens.map(({ state, sink }) => [state, sink])).toEqual(expected);
  expect(attempts).toHaveLength(expectedAttempts);
});

it('reads several files, with what each says', async () => {
  const files = [
    write('worker-1.log', toText([CREATED])),
    write('worker-2.log', toText([UNCONFIRMED, DELIVERED])),
  ];
  const { orgId: _, sourceOrgId: _s, time: _t, ...token } = TOKEN;
  const { startedAt, endedAt, reason } = UNCONFIRMED;
  const { runId } = TOKEN;
  await expect(read(files)).resolves.toEqual({
    sinceMs: Infinity,
    tokens: [
      {
        ...token,
        state: 'delivered',
        sink: 'drop',
        sinksTried: ['drop'],
        workflowId: `live-migration-prep/${ORG}/${SOURCE_ORG}`,
      },
    ],
    attempts: [{ startedAt, endedAt, reason, workflowId: `live-migration-prep/${ORG}`, runId }],
  });
});

it('counts the lines of workers and others, and finds the earliest time', async () => {
  const files = [
    write('worker-1.log', toText([lineAt(7), UNCONFIRMED, 'a line of something else'])),
    write('worker-2.log', toText([{ time: at(1) }, lineAt(9), lineAt(3)])),
  ];
  await expect(readRecord(files, ORG)).resolves.toMatchObject({
    lineCount: 4,
    otherCount: 2,
    firstMs: Date.parse(at(3)),
  });
  const nothing = { lineCount: 0, otherCount: 0, firstMs: Infinity };
  await expect(readRecord([], ORG)).resolves.toMatchObject(nothing);
});

const DELIVERY = JSON.stringify(DELIVERED);

it.each<[what: string, content: string | Buffer]>([
  ['as Docker stores lines', JSON.stringify({ log: `${DELIVERY}\n`, stream: 'stdout', ...TIME })],
  ['as kubectl --prefix prints lines', `[pod/prep-0/worker] ${DELIVERY}`],
  ['with times before the lines', `2026-11-25T09:00:00Z ${DELIVERY}`],
  ['compressed', gzipSync(DELIVERY)],
  ['empty', ''],
])('refuses a file that is %s, beside one that is not', async (_what, content) => {
  const file = write('other.log', content);
  const files = [write('worker-1.log', toText([lineAt(1)])), file];
  await expect(readRecord(files, ORG)).rejects.toThrow(
    `--record ${file} has no line of a worker's log: write the lines as the worker prints them`,
  );
});

it.each([
  ['null', null],
  ['left out', undefined],
  ['malformed', 'not a key'],
])('reads a token whose public key is %s', async (_what, publicApiKey) => {
  const file = write('worker-1.log', toText([{ ...DELIVERED, publicApiKey }]));
  const { tokens } = await read([file]);
  expect(tokens).toMatchObject([{ deliveryId: TOKEN.deliveryId, publicApiKey: null }]);
});

it('names a file that cannot be read', async () => {
  const file = fileIn('nowhere.log');
  await expect(readRecord([file], ORG)).rejects.toThrow(
    `--record ${file} cannot be read (ENOENT): correct its path`,
  );
});
