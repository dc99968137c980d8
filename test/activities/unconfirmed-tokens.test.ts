import fc from 'fast-check';
import { unconfirmedBefore } from '../../src/activities/unconfirmed-tokens';

describe('unconfirmedBefore', () => {
  it.each([
    ['the first attempt follows none', 1, undefined, 0],
    ['the attempt before took back its count', 2, { attempt: 1, unconfirmedTokens: 0 }, 0],
    ['the attempt before left one', 2, { attempt: 1, unconfirmedTokens: 1 }, 1],
    ['the attempts before left three', 5, { attempt: 4, unconfirmedTokens: 3 }, 3],
    ['the attempt before left no heartbeat', 2, undefined, 1],
    ['no attempt before left a heartbeat', 4, undefined, 3],
    ['two attempts are missing behind the last heartbeat', 4, { attempt: 1, unconfirmedTokens: 1 }, 3],
    ['an attempt is missing behind a count taken back', 3, { attempt: 1, unconfirmedTokens: 0 }, 1],
    ['the heartbeat is of this very attempt', 2, { attempt: 2, unconfirmedTokens: 1 }, 1],
  ])('when %s', (_what, attempt, last, count) => {
    expect(unconfirmedBefore(attempt, last)).toBe(count);
  });

  it('never counts fewer than were made, whichever heartbeats are lost', () => {
    const attempts = fc.array(fc.record({ minted: fc.boolean(), heard: fc.boolean() }), { maxLength: 12 });
    fc.assert(
      fc.property(attempts, (history) => {
        let last: Parameters<typeof unconfirmedBefore>[1];
        history.forEach(({ minted, heard }, i) => {
          const before = unconfirmedBefore(i + 1, last);
          if (heard) last = { attempt: i + 1, unconfirmedTokens: before + (minted ? 1 : 0) };
        });
        const made = history.filter(({ minted }) => minted).length;
        expect(unconfirmedBefore(history.length + 1, last)).toBeGreaterThanOrEqual(made);
      }),
    );
  });
});
