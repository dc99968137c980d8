/**
 * The choices of a simulated run, as numbers that fast-check makes. After the last one
 * each choice is the first, with which all goes well.
 */
export class Tape {
  private next = 0;

  constructor(private numbers: readonly number[]) {}

  pick<Choice>(choices: readonly [Choice, ...Choice[]] | readonly Choice[]): Choice {
    const number = this.numbers[this.next] ?? 0;
    this.next += 1;
    return choices[number % choices.length] as Choice;
  }

  /**
   * In half of the runs all; in the others three of them at most, which then come more often and
   * meet each other (swarm testing, https://doi.org/10.1145/2338965.2336763).
   */
  pickSome<Choice>(choices: readonly Choice[]): readonly Choice[] {
    if (this.pick([true, false])) return choices;
    const some = [this.pick(choices), this.pick(choices), this.pick(choices)];
    return choices.map((_, index) => some[index % some.length] as Choice);
  }

  get isOver(): boolean {
    return this.next >= this.numbers.length;
  }

  /** From now on all goes well. */
  end(): void {
    this.numbers = [];
  }
}
