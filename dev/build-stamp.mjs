import { stampOf } from './stamp.mjs';

/** Written last, so that a build which was cut off counts as none. */
export const BUILD_STAMP_FILE = 'dist/.stamp';

/** Changes with everything that dist/ is made of. */
export function buildStamp() {
  return stampOf([
    'src',
    'dev/build.mjs',
    'tsconfig.json',
    'tsconfig.build.json',
    'package.json',
    'package-lock.json',
  ]);
}
