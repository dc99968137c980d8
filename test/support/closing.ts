interface Closable {
  close(): unknown;
}

/** A function that keeps what a test opens, and closes it in reverse order when the test ends. */
export function closingAfterEach(): <T extends Closable>(opened: T) => T {
  const open: Closable[] = [];
  afterEach(async () => {
    for (const opened of open.splice(0).reverse()) await opened.close();
  });
  return (opened) => {
    open.push(opened);
    return opened;
  };
}
