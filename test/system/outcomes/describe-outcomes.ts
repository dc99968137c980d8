import type { CredentialType, TestAtlas } from '../../support/atlas';
import type { Deployment } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { deploy, startAtlas } from '../../support/setting';
import type { Row } from './rows';

export interface Scene {
  atlas: TestAtlas;
  deployment: Deployment;
}

/** @param settings of section `atlas`. */
export async function setScene(credential: CredentialType, settings: object = {}): Promise<Scene> {
  const atlas = await startAtlas();
  const deployment = await deploy({ atlas, credential, config: { atlas: settings } });
  await deployment.startWorker();
  return { atlas, deployment };
}

/** Runs every row through a real HTTP server and a real workflow. */
export function describeRows(rows: readonly Row[], scene: () => Scene): void {
  it.each(rows)('$what: $type, $posts request(s), $unconfirmedTokens unconfirmed', async (row) => {
    const { type, posts, unconfirmedTokens, tokens } = row;
    const { seen } = await run(row, scene());
    expect(seen).toEqual({ type, posts, unconfirmedTokens, tokens });
  });
}

/** What Atlas saw of one run, and how the run ended. */
export async function run(row: Pick<Row, 'faults' | 'expire'>, { atlas, deployment }: Scene) {
  atlas.clearFaults();
  if (row.expire) {
    // So that there is something to expire.
    await endingOf(await deployment.start());
    atlas.expire(row.expire);
  }
  atlas.faults(row.faults);
  const before = { posts: atlas.posts().length, tokens: atlas.createdTokens().length };
  const { type, unconfirmedTokens, message } = await endingOf(await deployment.start());
  const requests = atlas.posts().slice(before.posts);
  const tokens = atlas.createdTokens().length - before.tokens;
  return {
    seen: { type, posts: requests.length, unconfirmedTokens, tokens },
    message,
    requestTimes: requests.map(({ startedAt }) => Date.parse(startedAt)),
  };
}
