/** What measuring has changed for one shape of kernel: in tuning files, and in the manifest of what was compiled with one. */

export interface TunedShape {
  /** As shapeOf gives it. */
  readonly shape: Shape;
  readonly changes: Changes;
  /** Of all nodes of this shape, at all depths measured: untuned, and with the changes. */
  readonly untunedUs: number;
  readonly us: number;
}

/** What a kernel computes, without how: the same for all candidates. */
export type Shape = Readonly<Record<string, unknown>>;

/** Numbers of the target's description that take other values; alone and coResident: of its projection. */
export interface Changes {
  readonly projection?: Numbers;
  readonly alone?: Numbers;
  readonly coResident?: Numbers;
  readonly attention?: Numbers;
}
type Numbers = Readonly<Record<string, number>>;
