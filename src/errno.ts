/** The code of a failed system call, such as `ENOENT`. */
export function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}
