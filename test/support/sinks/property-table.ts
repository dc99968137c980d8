/** Collects what each sink does about each property, and shows it with a row for each property. */
export function propertyTable(sinks: readonly string[]) {
  const rows = new Map<string, Map<string, string>>();
  return {
    note(sink: string, property: string, result: string): void {
      const row = rows.get(property) ?? new Map<string, string>();
      rows.set(property, row.set(sink, result));
    },

    render(): string {
      const cells = [
        ['property', ...sinks],
        ...[...rows].map(([property, row]) => [property, ...sinks.map((sink) => row.get(sink) ?? '-')]),
      ];
      const widths = cells[0]?.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
      const lines = cells.map((row) =>
        row.map((cell, column) => cell.padEnd(widths?.[column] ?? 0)).join(' | '),
      );
      return `\n${lines.map((line) => line.trimEnd()).join('\n')}\n\n`;
    },
  };
}
