import { readFileSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';

const HISTORIES_FOLDER = path.join(__dirname, 'histories');
/** What a worker runs, so that the test is of what is shipped. */
const workflowBundle = { codePath: path.join(__dirname, '../../dist/workflow-bundle.js') };

interface History {
  events: { activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[];
}

const names = readdirSync(HISTORIES_FOLDER)
  .filter((file) => file.endsWith('.json'))
  .map((file) => path.basename(file, '.json'));

function read(name: string): string {
  return readFileSync(path.join(HISTORIES_FOLDER, `${name}.json`), 'utf8');
}

const replay = (history: unknown) => Worker.runReplayHistory({ workflowBundle }, history);

jest.setTimeout(30_000);
beforeAll(() => {
  // Core tells of a violation too, and the one that is made on purpose would look like a problem.
  Runtime.install({
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { forward: {}, filter: 'off' } },
  });
});
afterAll(() => Runtime.instance().shutdown());

describe('runs under way go on after an upgrade: a stored history of each ending replays', () => {
  it.each(names)('%s', async (name) => {
    await replay(JSON.parse(read(name)));
  });

  it('there is one of each ending that can be had', () => {
    expect(names).toEqual(
      expect.arrayContaining([
        'delivered',
        'invalid-request',
        'atlas-request-rejected',
        'atlas-response-invalid',
        'atlas-unavailable',
        'sink-rejected',
        'sink-unavailable',
        'sealed-token-unreadable',
        'cancelled-while-creating-token-kept',
        'redelivered',
      ]),
    );
  });

  it('a history that the workflows would not have made does not replay', async () => {
    const history = JSON.parse(read('delivered')) as History;
    const scheduled = history.events.find((event) => event.activityTaskScheduledEventAttributes);
    Object.assign(scheduled?.activityTaskScheduledEventAttributes?.activityType ?? {}, { name: 'other' });
    await expect(replay(history)).rejects.toThrow(DeterminismViolationError);
  });

  it.each(names)('%s holds no path and no name of the machine it was recorded on', (name) => {
    const decoded = read(name).replace(/"data": "([^"]*)"/g, (_all, data: string) =>
      Buffer.from(data, 'base64').toString(),
    );
    expect(decoded).not.toContain(os.tmpdir());
    expect(decoded).not.toMatch(/@(?!host\b)[\w.-]+"/);
  });
});
