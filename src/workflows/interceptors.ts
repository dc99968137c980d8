import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { logAttributesOf } from '../contract/log-attributes';

/** Adds the request's attributes to every log line of a run, those of the SDK included. */
export const interceptors: WorkflowInterceptorsFactory = () => {
  let attributes: Record<string, string> = {};
  return {
    inbound: [
      {
        execute(input, next) {
          attributes = logAttributesOf(input.args[0]);
          return next(input);
        },
      },
    ],
    outbound: [{ getLogAttributes: (base, next) => next({ ...base, ...attributes }) }],
  };
};
