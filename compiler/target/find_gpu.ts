/** GPUs of the table by the names that people and drivers give them. */
import { UsageError } from '../../runtime/common/errors.js';
import { GPUS, type Gpu, type Part } from './gpus.js';

/** Words that a name is complete without. */
const FILLERS = new Set([
  'nvidia',
  'geforce',
  'tesla',
  'quadro',
  'gpu',
  'generation',
  'edition',
  'mobile',
  'tensor',
  'core',
  'the',
]);

/** "NVIDIA GeForce RTX 4090", "rtx-4090" and "RTX4090" -> rtx 4090. */
const wordsOf = (name: string): string[] =>
  name
    .toLowerCase()
    .replace(/([a-z])-(?=\d)/g, '$1') // "A100-80GB" keeps its parts apart below
    .replace(/\b(rtx|gtx)\s*(?=[a-z]?\d)/g, '$1 ')
    .replace(/\bmobile\b/g, 'laptop')
    .replace(/(\d)(ti|super)\b/g, '$1 $2')
    .split(/[^a-z0-9.]+/)
    .filter((word) => word !== '' && !FILLERS.has(word));

const keyOf = (name: string): string => wordsOf(name).join('');

const namesOf = ({ name, aliases }: Part): string[] => [name, ...aliases];

/** What a plan depends on of a part. */
const gpuOf = ({ aliases: _, source: __, ...gpu }: Part): Gpu => gpu;

/** The part of this name or alias; undefined where there is none. For names that the driver gives. */
export function partNamed(name: string): Gpu | undefined {
  const key = keyOf(name);
  const bare = (other: string) => keyOf(other).replace(/^(rtx|jetson)/, '');
  const exact = GPUS.find((part) => namesOf(part).some((other) => keyOf(other) === key));
  const found = exact ?? GPUS.find((part) => namesOf(part).some((other) => bare(other) === key));
  return found && gpuOf(found);
}

/** Errors: UsageError with the names that come near. */
export function findGpu(name: string): Gpu {
  const found = partNamed(name);
  if (found) return found;
  const words = wordsOf(name);
  const fits = words.length > 0 ? GPUS.filter((part) => words.every((word) => fitsWord(part, word))) : [];
  if (fits.length === 1) return gpuOf(fits[0]!);
  const near = fits.length > 1 ? fits : nearest(keyOf(name));
  const which = fits.length > 1 ? 'may be' : 'is not in the table; near it are';
  throw new UsageError(
    `--gpu: ${JSON.stringify(name)} ${which} ${near.map((part) => part.name).join(', ')}; \`realizar-compile gpus\` lists them all, and --arch takes an architecture for a GPU that is not there`,
  );
}

const fitsWord = (part: Part, word: string): boolean => namesOf(part).some((name) => wordsOf(name).includes(word));

function nearest(key: string): Part[] {
  const letters = (text: string) => [...text].sort().join('');
  const between = (other: string) => distance(key, other) - (letters(key) === letters(other) ? 1 : 0);
  const far = (part: Part) => Math.min(...namesOf(part).map((name) => between(keyOf(name))));
  return GPUS.toSorted((a, b) => far(a) - far(b)).slice(0, 5);
}

/** Characters to insert, remove or replace. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, inA] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, inB] of [...b].entries())
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (inA === inB ? 0 : 1)));
    row = next;
  }
  return row.at(-1)!;
}
