/**
 * Rows of the emitted tables, nodes and tensors: what is alike in many layers is stated once, as a function of the layer.
 * What differs is an offset of the layer (`Layer` in runtime/artifact.h) or a parameter of the function.
 */

import type { Region } from '../kernels/kernel.js';

/** Bytes from the start of something: of a region, or of the file. */
export interface Offset {
  readonly from: Region | 'file';
  readonly value: number;
  /** Of a parameter that has it. */
  readonly name: string;
}

/** What a row is made of: C++ of a name, of a layer's own or another's; and C++ of an offset. */
export interface Writer {
  name(name: string): string;
  offset(offset: Offset): string;
}

export interface Row {
  readonly name: string;
  /** A comment before it. */
  readonly about?: string;
  /** Lines of C++, without indentation. */
  lines(write: Writer): readonly string[];
}

/** Where what belongs to a layer starts and ends. */
export type LayerRanges = Readonly<Partial<Record<Offset['from'], readonly (Range | undefined)[]>>>;
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** "blk.3.attn_q.weight" is of layer 3. */
export function layerOf(name: string): { readonly layer: number; readonly rest: string } | undefined {
  const [, layer, rest] = /^blk\.(\d+)\.(.+)$/.exec(name) ?? [];
  return rest === undefined ? undefined : { layer: Number(layer), rest };
}

/** Rows of one layer that follow each other; or of none. */
interface Stretch {
  readonly layer: number | undefined;
  readonly rows: readonly Row[];
}

export function stretches(rows: readonly Row[]): Stretch[] {
  const found: { layer: number | undefined; rows: Row[] }[] = [];
  for (const row of rows) {
    const layer = layerOf(row.name)?.layer;
    if (found.length === 0 || found.at(-1)!.layer !== layer) found.push({ layer, rows: [] });
    found.at(-1)!.rows.push(row);
  }
  return found;
}

/** A row of no layer. */
export const plain = (quote: (text: string) => string): Writer => ({
  name: quote,
  offset: ({ value }) => String(value),
});

/** Layers whose rows are alike. */
export interface Kind {
  readonly layers: readonly number[];
  /** Of the function, beside the layer: its name and, for each of the layers, its value. */
  readonly parameters: readonly { readonly name: string; readonly values: readonly number[] }[];
  readonly rows: readonly { readonly about?: string; readonly lines: readonly string[] }[];
}

export function kindsOf(
  stretchesOfLayers: readonly Stretch[],
  ranges: LayerRanges,
  quote: (text: string) => string,
): Kind[] {
  const alike = new Map<string, Stretch[]>();
  for (const stretch of stretchesOfLayers) {
    const write = { name: nameIn(stretch.layer!, quote), offset: ({ from }: Offset) => `<${from}>` };
    const signature = stretch.rows.map((row) => row.lines(write).join('\n')).join('\n');
    alike.set(signature, [...(alike.get(signature) ?? []), stretch]);
  }
  return [...alike.values()].map((some) => kindOf(some, ranges, quote));
}

function kindOf(alike: readonly Stretch[], ranges: LayerRanges, quote: (text: string) => string): Kind {
  const layers = alike.map(({ layer }) => layer!);
  const parameters = new Parameters();
  const expressions = transpose(alike.map(offsetsOf)).map((offsets) =>
    expressionOf(offsets, layers, ranges, parameters),
  );
  const [example] = alike.slice(-1);
  let next = 0;
  const write = { name: nameIn(example!.layer!, quote), offset: () => expressions[next++]! };
  return {
    layers,
    rows: example!.rows.map((row) => ({
      ...(row.about !== undefined && { about: aboutOf(row.about, example!.layer!) }),
      lines: row.lines(write),
    })),
    parameters: parameters.all,
  };
}

function offsetsOf({ rows }: Stretch): Offset[] {
  const offsets: Offset[] = [];
  const offset = (one: Offset): string => {
    offsets.push(one);
    return '0';
  };
  for (const row of rows) row.lines({ name: () => '', offset });
  return offsets;
}

const transpose = <T>(rows: readonly (readonly T[])[]): T[][] =>
  rows[0]!.map((_, column) => rows.map((row) => row[column]!));

/** C++ for one offset in all layers of a kind. */
function expressionOf(
  offsets: readonly Offset[],
  layers: readonly number[],
  ranges: LayerRanges,
  parameters: Parameters,
): string {
  const { from, name } = offsets[0]!;
  const values = offsets.map(({ value }) => value);
  const own = layers.map((layer) => ranges[from]?.[layer]);
  const isOwn = own.every((range, i) => range && values[i]! >= range.start && values[i]! < range.end);
  if (!isOwn) return isSame(values) ? String(values[0]) : `at.${parameters.name(name, values)}`;
  const inLayer = values.map((value, i) => value - own[i]!.start);
  const least = Math.min(...inLayer);
  const more = isSame(inLayer)
    ? []
    : [
        `at.${parameters.name(
          name,
          inLayer.map((value) => value - least),
        )}`,
      ];
  return [`l.${from}`, ...more, ...(least > 0 ? [least] : [])].join(' + ');
}

const isSame = (values: readonly number[]): boolean => values.every((value) => value === values[0]);

/** One for all offsets that have the same values. */
class Parameters {
  readonly all: { readonly name: string; readonly values: readonly number[] }[] = [];

  name(wanted: string, values: readonly number[]): string {
    const known = this.all.find((parameter) => parameter.values.join() === values.join());
    if (known) return known.name;
    const taken = this.all.filter(({ name }) => name.replace(/_\d+$/, '') === wanted).length;
    const name = taken === 0 ? wanted : `${wanted}_${taken + 1}`;
    this.all.push({ name, values });
    return name;
  }
}

const nameIn =
  (layer: number, quote: (text: string) => string) =>
  (name: string): string => {
    const of = layerOf(name);
    const method =
      of &&
      [[-1, 'previous'] as const, [0, 'name'] as const, [1, 'next'] as const].find(
        ([step]) => of.layer === layer + step,
      );
    return method ? `l.${method[1]}(${quote(of.rest)})` : quote(name);
  };

/** What is said of one layer, for all that are like it. */
const aboutOf = (about: string, layer: number): string =>
  about.replaceAll(`blk.${layer}.`, '').replaceAll(`blk.${layer - 1}.`, 'previous ');
