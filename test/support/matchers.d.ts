/// <reference types="jest" />

/**
 * Types asymmetric matchers as what they stand for, so that typed objects hold them without a cast.
 */
declare namespace jest {
  interface Expect {
    any(constructor: StringConstructor): string;
    stringContaining(text: string): string;
    stringMatching(pattern: string | RegExp): string;
    objectContaining<Shape extends object>(shape: Shape): Shape;
  }
}
