import type { WorkerOptions } from '@temporalio/worker';

/** The worker options that bound how many activities run, and how many start a second. */
export function activityLimits(settings: {
  maxConcurrentActivities: number;
  /** No limit when undefined. */
  maxActivitiesPerSecond?: number | undefined;
}): WorkerActivityLimits {
  const { maxConcurrentActivities, maxActivitiesPerSecond } = settings;
  return {
    maxConcurrentActivityTaskExecutions: maxConcurrentActivities,
    ...(maxActivitiesPerSecond !== undefined && {
      maxActivitiesPerSecond,
      // The limit applies to polls, and an activity that is dispatched eagerly arrives without one (temporalio/sdk-rust#669).
      maxEagerActivityReservationsPerWorkflowTask: 0,
    }),
  };
}

type WorkerActivityLimits = Pick<
  WorkerOptions,
  | 'maxConcurrentActivityTaskExecutions'
  | 'maxActivitiesPerSecond'
  | 'maxEagerActivityReservationsPerWorkflowTask'
>;
