import { readFileSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DeterminismViolationError } from '@temporalio/workflow';
import { VERSION } from '../../../src/version';
import { replay } from '../../support/replay';

const FOLDER = path.join(__dirname, 'histories');
const RELEASES = readdirSync(FOLDER);

function read(history: string): string {
  return readFileSync(path.join(FOLDER, history), 'utf8');
}

it('there are histories of this release', () => {
  expect(RELEASES).toContain(VERSION);
});

describe.each(RELEASES)('open runs of %s go on after an upgrade:', (release) => {
  const histories = readdirSync(path.join(FOLDER, release)).map((file) => path.join(release, file));

  it.each(histories)('%s replays', async (history) => {
    await replay(JSON.parse(read(history)));
  });

  it.each(histories)('%s holds no path and no name of the machine it was recorded on', (history) => {
    const decoded = read(history).replace(/"data": "([^"]*)"/g, (_all, data: string) =>
      Buffer.from(data, 'base64').toString(),
    );
    expect(decoded).not.toContain(os.tmpdir());
    expect(decoded).not.toMatch(/@(?!host\b)[\w.-]+"/);
  });
});

it('a history that the workflows would not have made does not replay', async () => {
  const changed = read(`${VERSION}/delivered.json`).replaceAll('"createLinkToken"', '"other"');
  await expect(replay(JSON.parse(changed))).rejects.toThrow(DeterminismViolationError);
});
