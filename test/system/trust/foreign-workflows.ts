import { ActivityFailure, ApplicationFailure, proxyActivities } from '@temporalio/workflow';

/** One call of an activity of the product. */
export interface Call {
  activity: string;
  args: unknown[];
}

export type CallOutcome = { result: unknown } | { type: string; message: string };

/** A workflow of someone who may start work in the namespace: it calls activities on the task queue of the product. */
export async function foreign(taskQueue: string, calls: Call[]): Promise<CallOutcome[]> {
  const activities = proxyActivities<Record<string, (...args: unknown[]) => Promise<unknown>>>({
    taskQueue,
    startToCloseTimeout: '30s',
    retry: { maximumAttempts: 1 },
  });
  const call = async ({ activity, args }: Call): Promise<CallOutcome> => {
    try {
      return { result: await activities[activity]?.(...args) };
    } catch (error) {
      const cause = error instanceof ActivityFailure ? error.cause : error;
      if (cause instanceof ApplicationFailure) return { type: String(cause.type), message: cause.message };
      throw error;
    }
  };
  return Promise.all(calls.map(call));
}

/** The same under the name of our workflow. */
export const prepareLiveMigration = foreign;
