import { readFileSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DeterminismViolationError } from '@temporalio/workflow';
import { replay } from '../../support/replay';
import { HISTORIES_FOLDER, STORY_NAMES } from './histories';

interface History {
  events: { activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[];
}

function read(name: string): string {
  return readFileSync(path.join(HISTORIES_FOLDER, `${name}.json`), 'utf8');
}

describe('open runs go on after an upgrade: a stored history of each story replays', () => {
  it.each(STORY_NAMES)('%s', async (name) => {
    await replay(JSON.parse(read(name)));
  });

  it('no other history is stored', () => {
    const files = STORY_NAMES.map((name) => `${name}.json`);
    expect(readdirSync(HISTORIES_FOLDER).sort()).toEqual(files.sort());
  });

  it('a history that the workflows would not have made does not replay', async () => {
    const history = JSON.parse(read('delivered')) as History;
    const scheduled = history.events.find((event) => event.activityTaskScheduledEventAttributes);
    Object.assign(scheduled?.activityTaskScheduledEventAttributes?.activityType ?? {}, { name: 'other' });
    await expect(replay(history)).rejects.toThrow(DeterminismViolationError);
  });

  it.each(STORY_NAMES)('%s holds no path and no name of the machine it was recorded on', (name) => {
    const decoded = read(name).replace(/"data": "([^"]*)"/g, (_all, data: string) =>
      Buffer.from(data, 'base64').toString(),
    );
    expect(decoded).not.toContain(os.tmpdir());
    expect(decoded).not.toMatch(/@(?!host\b)[\w.-]+"/);
  });
});
