import { msToTs } from '@temporalio/common/lib/time';
import { cronExpressionsOf } from '../../../src/temporal/cron';

type Spec = Parameters<typeof cronExpressionsOf>[0];
type Calendar = NonNullable<Spec['structuredCalendar']>[number];

const all = (start: number, end: number) => [{ start, end, step: 1 }];
/** As Temporal has six o'clock of each day. */
const AT_SIX: Calendar = {
  second: [{ start: 0 }],
  minute: [{ start: 0 }],
  hour: [{ start: 6 }],
  dayOfMonth: all(1, 31),
  month: all(1, 12),
  dayOfWeek: all(0, 6),
};

it.each<[cron: string, change: Partial<Calendar>]>([
  ['0 6 * * *', {}],
  // Protobuf writes 0 for what is not set.
  ['0 18 * * *', { hour: [{ start: 18, end: 0, step: 0 }] }],
  ['*/15 6 * * *', { minute: [{ start: 0, end: 59, step: 15 }] }],
  ['0 8-18 * * *', { hour: [{ start: 8, end: 18, step: 1 }] }],
  ['0 6 1,15 * *', { dayOfMonth: [{ start: 1 }, { start: 15, end: 15 }] }],
  ['0 6 * 1-6/2 *', { month: [{ start: 1, end: 6, step: 2 }] }],
  ['0 6 * * 0-5', { dayOfWeek: [{ start: 0, end: 5, step: 1 }] }],
  ['0 6 * * * 2098', { year: [{ start: 2098 }] }],
  ['30 0 6 * * * *', { second: [{ start: 30 }] }],
  ['* 0 6 * * * 2098-2099', { second: all(0, 59), year: [{ start: 2098, end: 2099 }] }],
])('%s is a calendar of Temporal', (cron, change) => {
  expect(cronExpressionsOf({ structuredCalendar: [{ ...AT_SIX, ...change }] })).toEqual({
    cron: [cron],
    except: [],
  });
});

it('intervals stand behind the calendars, and what is left out by itself', () => {
  const spec: Spec = {
    structuredCalendar: [AT_SIX],
    interval: [{ interval: msToTs('1h') }, { interval: msToTs('1h'), phase: msToTs('5m') }],
    excludeStructuredCalendar: [{ ...AT_SIX, month: [{ start: 12 }] }],
  };
  expect(cronExpressionsOf(spec)).toEqual({
    cron: ['0 6 * * *', '@every 3600s', '@every 3600s/300s'],
    except: ['0 6 * 12 *'],
  });
  expect(cronExpressionsOf({})).toEqual({ cron: [], except: [] });
});
