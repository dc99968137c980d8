import type { ScheduleDescription } from '@temporalio/client';

type Spec = NonNullable<NonNullable<ScheduleDescription['raw']['schedule']>['spec']>;
type Calendar = NonNullable<Spec['structuredCalendar']>[number];
type Ranges = Calendar['minute'];

/** The times of a schedule as cron expressions. Temporal keeps calendars only, made of them. */
export function cronExpressionsOf({ structuredCalendar, interval }: Spec): string[] {
  return [
    ...(structuredCalendar ?? []).map(cronExpressionOf),
    ...(interval ?? []).map((every) => `@every ${Number(every.interval?.seconds ?? 0)}s`),
  ];
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
