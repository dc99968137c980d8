import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { logAttributesOf } from '../contract/log-attributes';

/** Adds the request's attributes to every log line of an attempt, those of the SDK included. */
export const logInterceptor: ActivityInterceptorsFactory = () => {
  let attributes: Record<string, string> = {};
  return {
    inbound: {
      execute(input, next) {
        attributes = logAttributesOf(input.args[0]);
        return next(input);
      },
    },
    outbound: { getLogAttributes: (base, next) => next({ ...base, ...attributes }) },
  };
};
