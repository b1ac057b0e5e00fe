/** The tokens of a GGUF file, what kind each is, and what the file says about putting them around a text. */
import { UnsupportedError } from '../common/errors.js';
import { quote } from '../common/quote.js';
import type { OwnText, TextSource } from './text_source.js';

/** llama.cpp's llama_token_type. */
export const TokenType = { NORMAL: 1, UNKNOWN: 2, CONTROL: 3, USER_DEFINED: 4, UNUSED: 5, BYTE: 6 } as const;

export interface Vocabulary {
  readonly kind: 'bpe' | 'spm' | 'json';
  /** By token id, as the file spells them. */
  readonly tokens: readonly string[];
  /** By token id, see TokenType. */
  readonly types: readonly number[];
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly unknown: number | undefined;
  /** White space after these control tokens belongs to them. */
  readonly stripAfter: ReadonlySet<number>;
  /** The model ends a text or a turn with these. */
  readonly ends: ReadonlySet<number>;
  /** What of the file is not as it should be, and does not matter to most uses. */
  readonly warnings: readonly string[];
}

/** Why the other values of tokenizer.ggml.model are refused. */
const MISSING: Readonly<Record<string, string>> = {
  bert: 'WordPiece is missing',
  t5: 'unigram (Viterbi over scores, with a normalizer compiled into the file) is missing',
  rwkv: "RWKV's greedy trie is missing",
  plamo2: "PLaMo-2's Aho-Corasick tables are missing",
  gemma4: 'BPE over text that is not byte-encoded is missing',
  hybriddna: 'k-mers of DNA are missing',
  whitespace: 'splitting by white space alone is missing',
  none: 'the file holds no vocabulary',
  no_vocab: 'the file holds no vocabulary',
};

/** Models end documents and turns with tokens that their metadata may not name; llama.cpp knows them by their text, too. */
const END_TEXTS = [
  ...['<|eot_id|>', '<|im_end|>', '<|end|>', '<|return|>', '<|call|>', '<|flush|>', '<|calls|>', '<end_of_turn>'],
  ...[
    '<|endoftext|>',
    '</s>',
    '<|eom_id|>',
    '<EOT>',
    '_<EOT>',
    '[EOT]',
    '[EOS]',
    '<|end_of_text|>',
    '<end_of_utterance>',
  ],
  ...['<eos>', '<turn|>', '<|tool_response>', '<｜end▁of▁sentence｜>', '[e~['],
];
/** A completion in the middle of a file ends with these: by role, as above. */
const FILL_END_TEXTS = {
  fim_pad: ['<|fim_pad|>', '<fim-pad>', '<fim_pad>', '<PAD>', '[PAD]'],
  fim_rep: ['<|fim_repo|>', '<|repo_name|>', '<fim-repo>', '<REPO>', '<reponame>'],
  fim_sep: ['<|file_sep|>'],
};
/** Control tokens, though files may say otherwise. */
const FILL_TEXTS = [
  ...[
    '<|fim_prefix|>',
    '<fim-prefix>',
    '<fim_prefix>',
    '<｜fim▁begin｜>',
    '<PRE>',
    '▁<PRE>',
    '<|code_prefix|>',
    '<|prefix|>',
  ],
  ...[
    '<|fim_suffix|>',
    '<fim-suffix>',
    '<fim_suffix>',
    '<｜fim▁hole｜>',
    '<SUF>',
    '▁<SUF>',
    '<|code_suffix|>',
    '<|suffix|>',
  ],
  ...[
    '<|fim_middle|>',
    '<fim-middle>',
    '<fim_middle>',
    '<｜fim▁end｜>',
    '<MID>',
    '▁<MID>',
    '<|code_middle|>',
    '<|middle|>',
  ],
];
/** Harmony's tokens are what its readers parse: they stay in the text. */
const VISIBLE_TEXTS = ['<|channel|>', '<|message|>', '<|start|>', '<|constrain|>'];

/** Errors: UnsupportedError names another tokenizer model; ModelFileError names a damaged key. */
export function readVocabulary(file: TextSource): Vocabulary {
  const { own } = file;
  if (own) return ownVocabulary(own);
  const { metadata } = file;
  const kind = readKind(file);
  const key = 'tokenizer.ggml.tokens';
  const tokens = metadata.stringArray(key) ?? metadata.fail(key, 'expected an array of strings, found no such key');
  const types = readTypes(file, tokens, kind);
  const ids = markers(tokens, types);
  const warnings: string[] = [];
  const role = (name: string) => readTokenId(file, name, warnings, tokens.length);
  const known = (id: number) => (id < tokens.length ? id : undefined);
  const spm = kind === 'spm';
  const eos = role('eos') ?? (spm ? known(2) : undefined);
  return {
    kind,
    tokens,
    types,
    bos: role('bos') ?? (spm ? known(1) : undefined),
    eos,
    unknown: role('unknown') ?? (spm ? known(0) : undefined),
    ends: readEnds(types, ids, [eos, role('eot'), role('eom')], role),
    stripAfter: readStripAfter(file, types, ids),
    warnings,
  };
}

function ownVocabulary({ roles, ends, ...own }: OwnText): Vocabulary {
  const tokens = own.tokens.map((token) => token ?? '');
  const types = [...own.types];
  const { bos, eos, unknown } = roles;
  return {
    ...{ kind: 'json', tokens, types, bos, eos, unknown },
    ends: readEnds(types, markers(tokens, types), [eos, ...ends], () => undefined),
    stripAfter: new Set(),
    warnings: [],
  };
}

function readKind({ path, metadata }: TextSource): 'bpe' | 'spm' {
  const model = metadata.requireString('tokenizer.ggml.model');
  if (model === 'gpt2') return 'bpe';
  if (model === 'llama') return 'spm';
  const hint = Object.hasOwn(MISSING, model) ? `${MISSING[model]}; ` : '';
  const known = '"gpt2" (byte-level BPE) and "llama" (SentencePiece) are';
  throw new UnsupportedError(path, `tokenizer ${quote(model)}`, `${hint}${known}`);
}

/** The file's key of a token's role: "bos" is tokenizer.ggml.bos_token_id. */
export const tokenKey = (role: string) => `tokenizer.ggml.${role}_token_id`;

/** An id that no token has counts as none, as in llama.cpp: files write -1 for it, and whatever comes to hand. */
function readTokenId(
  { metadata }: TextSource,
  role: string,
  warnings: string[],
  vocabSize: number,
): number | undefined {
  const key = tokenKey(role);
  const entry = metadata.get(key);
  const isBelow = entry !== undefined && entry.type !== 'array' && /^int/.test(entry.type) && Number(entry.value) < 0;
  const id = isBelow ? Number(entry.value) : metadata.getUint(key);
  if (id === undefined || (id >= 0 && id < vocabSize)) return id;
  warnings.push(`${key} is ${id}, which no token has: it counts as none; expected an id below ${vocabSize}`);
  return undefined;
}

function readTypes({ metadata }: TextSource, tokens: readonly string[], kind: Vocabulary['kind']): number[] {
  const key = 'tokenizer.ggml.token_type';
  const types = metadata.numberArray(key);
  if (types === undefined) {
    const isByte = (token: string) => kind === 'spm' && /^<0x[0-9A-F]{2}>$/.test(token);
    return tokens.map((token) => (isByte(token) ? TokenType.BYTE : TokenType.NORMAL));
  }
  if (types.length !== tokens.length)
    metadata.fail(key, `expected ${tokens.length} elements, one a token, found ${types.length}`);
  return types;
}

/**
 * Ids of the tokens whose text means something here. What a file calls a normal token counts only where nobody would write
 * it but as a marker: Qwen has a "</s>" from the web pages that it has read.
 */
function markers(tokens: readonly string[], types: readonly number[]): Map<string, number> {
  const fill = Object.values(FILL_END_TEXTS).flat();
  const wanted = new Set([...END_TEXTS, ...fill, ...FILL_TEXTS, ...VISIBLE_TEXTS, '<unk>', '<s>']);
  const found = new Map<string, number>();
  for (const [id, token] of tokens.entries())
    if (wanted.has(token) && !found.has(token) && (isSpecial(types[id]!) || /[|｜]|end_of_/u.test(token)))
      found.set(token, id);
  return found;
}

/** llama.cpp's set of end-of-generation tokens, exceptions included; corrects the types of tokens on the way. */
function readEnds(
  types: number[],
  ids: ReadonlyMap<string, number>,
  named: readonly (number | undefined)[],
  role: (name: string) => number | undefined,
): Set<number> {
  const ends = new Set(named.filter((id) => id !== undefined));
  const retype = (texts: readonly string[], type: number) => {
    for (const text of texts) if (ids.has(text)) types[ids.get(text)!] = type;
  };
  for (const [name, texts] of Object.entries(FILL_END_TEXTS)) {
    const text = texts.find((text) => ids.has(text));
    const id = role(name) ?? (text === undefined ? undefined : ids.get(text));
    if (id !== undefined) ends.add(id);
    if (text !== undefined && role(name) === undefined) retype([text], TokenType.CONTROL);
  }
  for (const text of END_TEXTS) if (ids.has(text)) ends.add(ids.get(text)!);
  retype([...END_TEXTS, ...FILL_TEXTS], TokenType.CONTROL);
  retype(VISIBLE_TEXTS, TokenType.USER_DEFINED);

  const all = (...texts: string[]) => texts.every((text) => ends.has(ids.get(text) ?? -1));
  // In these formats <|end|> closes a message, not the answer.
  const messages = all('<|return|>')
    ? all('<|call|>') || all('<|calls|>')
    : all('<|flush|>') && (all('<|call|>') || all('<|calls|>'));
  if (messages && all('<|end|>')) {
    ends.delete(ids.get('<|end|>')!);
    retype(['<|end|>'], TokenType.USER_DEFINED);
  }
  if (all('<|tool_response>', '</s>')) {
    ends.delete(ids.get('</s>')!);
    retype(['</s>'], TokenType.NORMAL);
  }
  return ends;
}

/** Phi-3 was trained so; the file does not say it, and llama.cpp goes by the model's name. */
function readStripAfter(
  { metadata }: TextSource,
  types: readonly number[],
  ids: ReadonlyMap<string, number>,
): Set<number> {
  const name = metadata.getString('general.name')?.toLowerCase() ?? '';
  if (!name.includes('phi-3') && !name.includes('phi3')) return new Set();
  const strips = new Set([...types.keys()].filter((id) => isSpecial(types[id]!)));
  for (const text of ['<unk>', '<s>', '<|endoftext|>']) strips.delete(ids.get(text) ?? -1);
  return strips;
}

/** Tokens that are found in a text before it is split into words. */
export const isSpecial = (type: number) => isHidden(type) || type === TokenType.USER_DEFINED;

/** Tokens that are no text: a text that spells them becomes them only when asked to. */
export const isHidden = (type: number) => type === TokenType.CONTROL || type === TokenType.UNKNOWN;

/** Ids by the text of tokens that words are built from. Of tokens with the same text the first counts. */
export function wordTokens({ tokens, types }: Vocabulary): Map<string, number> {
  const ids = new Map<string, number>();
  for (let id = tokens.length - 1; id >= 0; id--)
    if (!isHidden(types[id]!) && types[id] !== TokenType.BYTE) ids.set(tokens[id]!, id);
  return ids;
}
