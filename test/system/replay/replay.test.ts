import { readFileSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DeterminismViolationError } from '@temporalio/workflow';
import { replay } from '../../support/replay';
import { HISTORIES_FOLDER, OWN_HISTORIES_FOLDER, SCENARIO_NAMES } from './histories';

interface History {
  events: { activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[];
}

/** Such as `0.1.0/delivered.json`. */
const HISTORIES = readdirSync(HISTORIES_FOLDER).flatMap((version) =>
  readdirSync(path.join(HISTORIES_FOLDER, version)).map((file) => path.join(version, file)),
);

function read(history: string): string {
  return readFileSync(path.join(HISTORIES_FOLDER, history), 'utf8');
}

describe('open runs go on after an upgrade: every stored history replays', () => {
  it.each(HISTORIES)('%s', async (history) => {
    await replay(JSON.parse(read(history)));
  });

  it('those of this release are all there', () => {
    const files = SCENARIO_NAMES.map((name) => `${name}.json`);
    expect(readdirSync(OWN_HISTORIES_FOLDER).sort()).toEqual(files.sort());
  });

  it('a history that the workflows would not have made does not replay', async () => {
    const history = JSON.parse(
      readFileSync(path.join(OWN_HISTORIES_FOLDER, 'delivered.json'), 'utf8'),
    ) as History;
    const scheduled = history.events.find((event) => event.activityTaskScheduledEventAttributes);
    Object.assign(scheduled?.activityTaskScheduledEventAttributes?.activityType ?? {}, { name: 'other' });
    await expect(replay(history)).rejects.toThrow(DeterminismViolationError);
  });

  it.each(HISTORIES)('%s holds no path and no name of the machine it was recorded on', (history) => {
    const decoded = read(history).replace(/"data": "([^"]*)"/g, (_all, data: string) =>
      Buffer.from(data, 'base64').toString(),
    );
    expect(decoded).not.toContain(os.tmpdir());
    expect(decoded).not.toMatch(/@(?!host\b)[\w.-]+"/);
  });
});
