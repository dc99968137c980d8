import { addRecord } from '../../../../src/commands/api-keys/join-keys';
import { readTokenLog } from '../../../../src/commands/api-keys/read-token-log';
import { ORG, OTHER_ORG, SOURCE_ORG } from '../../samples';
import { temporaryFiles } from '../../temporary-folder';

const { fileIn, write } = temporaryFiles();

const TOKEN = {
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
  addRecord({ ...NOTHING, runIds: new Set() }, await readTokenLog(files, ORG));

const at = (second: number) => `2026-11-25T09:00:0${second}.000Z`;
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
  expect(tokens.map(({ state, sink }) => [state, sink])).toEqual(expected);
  expect(attempts).toHaveLength(expectedAttempts);
});

it('reads several files, with what each says', async () => {
  const files = [
    write('worker-1.log', toText([CREATED])),
    write('worker-2.log', toText([UNCONFIRMED, DELIVERED])),
  ];
  const { orgId: _, sourceOrgId: _s, ...token } = TOKEN;
  const { startedAt, endedAt, reason } = UNCONFIRMED;
  const { runId } = TOKEN;
  await expect(read(files)).resolves.toEqual({
    sinceMs: Infinity,
    tokens: [
      {
        ...token,
        state: 'delivered',
        sink: 'drop',
        workflowId: `live-migration-prep/${ORG}/${SOURCE_ORG}`,
      },
    ],
    attempts: [{ startedAt, endedAt, reason, workflowId: `live-migration-prep/${ORG}`, runId }],
  });
});

it.each<[what: string, files: (object | string)[][], since: string | null]>([
  ['of no time without files', [], null],
  ['of no time without times', [['started', UNCONFIRMED]], null],
  [
    'of its first line with a time',
    [['x', { time: at(5) }, { ...UNCONFIRMED, time: at(9) }]],
    at(5),
  ],
  ['of the file that begins first', [[{ time: at(7) }], [{ time: at(5) }], ['x']], at(5)],
])('the record begins at the time %s', async (_what, files, since) => {
  const names = files.map((lines, index) => write(`worker-${index}.log`, toText(lines)));
  const { sinceMs } = await readTokenLog(names, ORG);
  expect(sinceMs).toBe(since === null ? Infinity : Date.parse(since));
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
  await expect(readTokenLog([file], ORG)).rejects.toThrow(
    `--record ${file} cannot be read (ENOENT): correct its path`,
  );
});
