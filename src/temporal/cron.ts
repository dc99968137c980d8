import type { ScheduleDescription } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time';

type ScheduleSpec = NonNullable<NonNullable<ScheduleDescription['raw']['schedule']>['spec']>;
type Calendar = NonNullable<ScheduleSpec['structuredCalendar']>[number];
type Interval = NonNullable<ScheduleSpec['interval']>[number];
type Ranges = Calendar['minute'];

/** The times of a schedule, and those that it leaves out, as Temporal's cron expressions: it keeps no such text itself. */
export function cronExpressionsOf({ structuredCalendar, interval, excludeStructuredCalendar }: ScheduleSpec) {
  return {
    cron: [
      ...(structuredCalendar ?? []).map(cronExpressionOf),
      ...(interval ?? []).map(intervalExpressionOf),
    ],
    except: (excludeStructuredCalendar ?? []).map(cronExpressionOf),
  };
}

function intervalExpressionOf({ interval, phase }: Interval): string {
  const [everyMs = 0, phaseMs = 0] = [interval, phase].map(optionalTsToMs);
  return `@every ${everyMs / 1000}s${phaseMs > 0 ? `/${phaseMs / 1000}s` : ''}`;
}

/** Five fields; six with a year, seven with a second, as Temporal reads them. */
function cronExpressionOf({ second, minute, hour, dayOfMonth, month, dayOfWeek, year }: Calendar): string {
  const seconds = fieldOf(second, 0, 59);
  const fields = [
    fieldOf(minute, 0, 59),
    fieldOf(hour, 0, 23),
    fieldOf(dayOfMonth, 1, 31),
    fieldOf(month, 1, 12),
    fieldOf(dayOfWeek, 0, 6),
  ];
  if (seconds !== '0') return [seconds, ...fields, fieldOf(year)].join(' ');
  return [...fields, ...(year?.length ? [fieldOf(year)] : [])].join(' ');
}

function fieldOf(ranges: Ranges, first?: number, last?: number): string {
  if (!ranges?.length) return '*';
  return ranges
    .map(({ start, end, step }) => {
      const from = start ?? 0;
      const to = Math.max(end ?? 0, from);
      const every = (step ?? 1) > 1 ? `/${step}` : '';
      if (from === first && to === last) return `*${every}`;
      return from === to ? String(from) : `${from}-${to}${every}`;
    })
    .join(',');
}
