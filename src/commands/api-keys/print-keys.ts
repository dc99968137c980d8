import { formatCount } from '../../shared/text';
import type { CommandContext } from '../cli/context';
import { describeMatch } from './describe-match';
import { joinKeys, madeAtMs, nameToken, type Match } from './join-keys';
import { readHistories } from './read-histories';
import type { ApiKey } from './read-keys';

/** What to do with a key, by its state. */
const ADVICE: Record<Match['state'], string> = {
  delivered: 'revoke its token once all migrations with it are over',
  open: 'leave it, or cancel the run, which revokes its token',
  abandoned: 'revoke its token, unless a sink that was tried had it, or somebody opened it by hand',
  orphan:
    'revoke it (revoke --from takes these lines of --json), unless it may be of another' +
    ' namespace, of a run that Temporal deleted early or lost in a restore, or made by hand',
  unknown: 'leave it for now, and find out more by its reason',
};

/** Prints the API keys of link-tokens in an organization's list, each with its token. */
export async function printKeys(
  { client, output }: CommandContext,
  orgId: string,
  keys: readonly ApiKey[],
): Promise<void> {
  const known = await readHistories(client, orgId);
  const matches = joinKeys(keys, known, Date.now());
  const withoutKey = known.tokens.filter(({ publicApiKey }) => publicApiKey === null);
  const states = new Set(matches.map(({ state }) => state));

  const count = formatCount(keys.length, 'key');
  const { namespace } = client.options;
  output.say(
    `organization ${orgId}, runs of namespace ${namespace}:` +
      ` ${count}, ${matches.length} of link-tokens`,
  );
  for (const match of matches) {
    const { key, ...rest } = match;
    const { id: keyId, publicKey, desc: description } = key;
    // By this, `revoke --from` takes orphans, and no key that may be in use.
    const revocable = match.state === 'orphan' ? { publicApiKey: publicKey } : {};
    const madeAt = `${new Date(madeAtMs(key)).toISOString().slice(0, 19)}Z`;
    output.print(
      { orgId, keyId, publicKey, ...revocable, madeAt, description, ...rest },
      `${keyId}  ${publicKey}  ${madeAt}  ${describeMatch(match)}`,
    );
  }
  output.print(
    { orgId, namespace, keys: keys.length, ofLinkTokens: matches.length, withoutKey },
    withoutKey.map((token) => `${nameToken(token)} of ${token.createdAt}: its key is not known`),
  );
  output.say(...[...states].map((state) => `${state}: ${ADVICE[state]}`));
}
