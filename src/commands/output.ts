/** What a command has to say: lines for a person, or one JSON object for a machine. */
export interface Output {
  /** One line for a person; left out of `--json`. */
  say(line: string): void;
  /** The outcome: for a person in `words`, for a machine as JSON. */
  outcome(value: object, words: string): void;
}

export function createOutput(json: boolean): Output {
  const print = (text: string) => process.stdout.write(`${text}\n`);
  return {
    say: (line) => {
      if (!json) print(line);
    },
    outcome: (value, words) => print(json ? JSON.stringify(value) : words),
  };
}
