/** Keeps what is written to stdout and stderr, and by the console, while it passes. */
export function startRecordingOutput() {
  let text = '';
  const restore = [process.stdout, process.stderr].map((stream) => {
    const write = stream.write.bind(stream);
    stream.write = (chunk: Uint8Array | string, ...rest: []) => {
      text += chunk.toString();
      return write(chunk, ...rest);
    };
    return () => void (stream.write = write);
  });
  const methods = ['log', 'info', 'warn', 'error', 'debug'] as const;
  const spies = methods.map((method) =>
    jest.spyOn(console, method).mockImplementation((...args: unknown[]) => {
      text += args.map(String).join(' ');
    }),
  );
  return {
    text: () => text,
    stop() {
      restore.forEach((undo) => undo());
      spies.forEach((spy) => spy.mockRestore());
    },
  };
}
