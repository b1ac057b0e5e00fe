/** Suggestions for words and options that no command takes. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { UsageError } from './errors.js';
import { printable, shorten } from './printable.js';

/** Options of other programs that mean the same. */
const SAME: Readonly<Record<string, readonly string[]>> = {
  '--temperature': ['--temp'],
  '--max-tokens': ['--n-predict', '--predict', '--num-predict', '--max-new-tokens', '--max-length', '--n-tokens'],
  '--context': ['--ctx-size', '--ctx', '--n-ctx', '--num-ctx', '--context-length', '--max-model-len', '--max-seq-len'],
  '--prompt': ['--text', '--input'],
  '--seed': ['--random-seed', '--rng-seed'],
  '--stop': ['--reverse-prompt', '--stop-string', '-r'],
  '--system': ['--system-prompt', '-sys', '--sys'],
  '--model': ['--model-path', '--gguf', '--hf-repo'],
  '--device': ['--main-gpu', '--gpu-id', '-mg', '-dev'],
  '--repeat-penalty': ['--repetition-penalty'],
  '--parallel': ['--n-parallel', '--max-num-seqs', '-np', '--slots'],
  '--alias': ['--served-model-name'],
  '--generate': ['--n-gen', '--max-tokens', '--n-predict'],
  '--repetitions': ['--repeat', '--runs'],
  '--output': ['--out', '--outfile', '--output-dir', '--outdir', '--dest'],
  '--arch': ['--gpu-arch', '--gpu-architecture', '--gencode', '--sm', '--compute-capability'],
  '--quantize': ['--quantization', '--quant', '--outtype', '--dtype'],
  '--target': ['--backend'],
  '--quiet': ['--silent', '-q', '--log-disable'],
  '--verbose': ['--debug'],
};

const ON_GPU = 'a compiled model is on the GPU as a whole';
const AS_COMPILED = 'this is decided when a model is compiled';
/** Options of other programs that are not needed here, or are done in another way. */
const OTHERWISE: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['--n-gpu-layers', '--gpu-layers', '-ngl', '--tensor-split'].map((name) => [name, ON_GPU])),
  ...Object.fromEntries(
    [
      '--flash-attn',
      '-fa',
      '--batch-size',
      '--ubatch-size',
      '-ub',
      '--cache-type-k',
      '--cache-type-v',
      '-ctk',
      '-ctv',
    ].map((name) => [name, AS_COMPILED]),
  ),
  ...Object.fromEntries(
    ['--threads', '--mlock', '--no-mmap', '--numa', '--no-display-prompt', '--simple-io'].map((name) => [
      name,
      'it is not needed here',
    ]),
  ),
  '--file': 'the prompt comes from a file with -p - < FILE',
  '-f': 'the prompt comes from a file with -p - < FILE',
  ...Object.fromEntries(
    ['--interactive', '--conversation', '-i', '-cnv', '--chat', '--interactive-first'].map((name) => [
      name,
      'chats have a command: realizar-run chat DIR',
    ]),
  ),
  '--serve': 'the server is a command: realizar-run serve DIR',
  '--bench': 'measuring is a command: realizar-run bench DIR',
};

/** Prints errors of usage with what was meant, for a command and its subcommands. `words`: the command line. */
export function teach(command: Command, words: readonly string[]): void {
  command.configureOutput({
    writeErr: (text) => void process.stderr.write(shorten(printable(text))),
    outputError: (text, write) => write(withHint(command, text, words)),
  });
  for (const child of command.commands) teach(child, words);
}

function withHint(command: Command, text: string, words: readonly string[]): string {
  const unknown = /^error: unknown option '([^']*)'/.exec(text)?.[1];
  const hint =
    unknown === undefined
      ? hintFor(command, text, words)
      : (meantCommand(command, words[0]) ?? meantOption(command, unknown));
  if (hint === undefined) return text;
  return `${text.replace(/\n\(Did you mean .*\)\n/s, '\n')}(${hint})\n`;
}

function hintFor(command: Command, text: string, words: readonly string[]): string | undefined {
  if (text.startsWith('error: too many arguments')) return meantWords(command, words);
  // -ngl 99 is read as -n gl
  const cluster = /^error: option '(-\w)\b.* argument '([^']+)' is invalid/s.exec(text);
  const word = cluster ? `${cluster[1]}${cluster[2]}` : undefined;
  return word !== undefined && words.includes(word) ? meantOption(command, word) : undefined;
}

function meantOption(command: Command, flag: string): string | undefined {
  const name = flag.replace(/=.*$/s, '').replaceAll('_', '-').toLowerCase();
  const names = command.options.flatMap(({ long }) => long ?? []);
  const same = Object.keys(SAME).find((own) => names.includes(own) && SAME[own]!.includes(name));
  const began = names.filter((own) => name.length > 3 && own.startsWith(name));
  const meant = names.includes(name) ? name : (same ?? (began.length === 1 ? began[0] : undefined));
  if (meant !== undefined) return `Did you mean ${meant}?`;
  return OTHERWISE[name] === undefined ? undefined : `${flag}: ${OTHERWISE[name]}; leave it out`;
}

/** Where a word stands for a command, which the root then takes for a path. */
function meantCommand(command: Command, word = ''): string | undefined {
  const meant = command.parent === null && !word.startsWith('-') ? nearestCommand(command, word) : undefined;
  return meant && `Did you mean the command ${meant}? ${command.name()} ${meant} --help`;
}

/** Words that have no option before them. */
function meantWords(command: Command, words: readonly string[]): string | undefined {
  const root = command.parent ?? command;
  const [first, second] = command.args;
  const misspelt = meantCommand(command, first);
  if (misspelt !== undefined) return misspelt;
  const has = (long: string) => command.options.some((option) => option.long === long);
  if (has('--output')) return `the output's folder goes after -o: ${root.name()} ${first} -o ${second}`;
  if (has('--prompt') && command === root && !words.includes('-p') && !words.includes('--prompt'))
    return `the text to continue goes after -p: ${root.name()} ${first} -p ${JSON.stringify(command.args.slice(1).join(' '))}`;
  if (command.name() === 'chat')
    return `messages come from the terminal or stdin: echo ${JSON.stringify(second)} | ${root.name()} chat ${first}`;
  return `it takes one; what has blanks in it is quoted, and ${command.name()} --help lists the options`;
}

/** Errors: UsageError for a word that stands where a path does, is none, and is nearly a command. */
export function refuseMisspelt(root: Command, word: string): void {
  const meant = nearestCommand(root, word);
  if (meant !== undefined)
    throw new UsageError(
      `there is no command ${JSON.stringify(word)}, and no such file or folder: did you mean ${meant}?`,
    );
}

function nearestCommand(root: Command, word: string): string | undefined {
  if (existsSync(word)) return undefined;
  const names = root.commands.map((each) => each.name());
  return names.find((name) => distance(word.toLowerCase(), name) <= (name.length > 4 ? 2 : 1));
}

/** Insertions, deletions, replacements and swaps of neighbours that make one of the other. */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (_, j) => i || j));
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? rows[i - 2]![j - 2]! + 1 : replaced;
      rows[i]![j] = Math.min(replaced, swapped, rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1);
    }
  return rows[a.length]![b.length]!;
}
