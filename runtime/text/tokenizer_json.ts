/**
 * The vocabulary of a folder that transformers saved, as the metadata that a GGUF file of the same model has:
 * tokenizer.json, tokenizer_config.json, chat_template.jinja, generation_config.json.
 */
import { join } from 'node:path';
import { ModelFileError, UnsupportedError } from '../../compiler/errors.js';
import { readSmallFile } from '../../compiler/model/files.js';
import { decodeUtf8 } from '../../compiler/model/header_reader.js';
import { Metadata, type MetadataEntry } from '../../compiler/model/metadata.js';
import { quote } from '../../compiler/model/quote.js';
import { isObject, type Json, type JsonObject, kindOf, readJsonFile } from '../../compiler/model/safetensors/json.js';
import { splittersOf, stepsOf } from './split_steps.js';
import type { TextSource } from './text_source.js';
import { TokenType } from './vocabulary.js';

const MAX_BYTES = 1 << 28;
const SPACE = '▁';
const NO_PREFIX = { prefix: false, onlyFirst: false, once: false, splits: false };

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly rstrip: boolean;
}

/** Errors: UnsupportedError names what of the tokenizer is not known; ModelFileError what is missing or damaged. */
export function folderTextSource(folder: string): TextSource {
  return new TokenizerFolder(folder).source();
}

class TokenizerFolder {
  readonly #path: string;
  readonly #tokenizer: JsonObject;
  readonly #settings: JsonObject;
  readonly #model: JsonObject;
  readonly #added: readonly AddedToken[];
  readonly #tokens: readonly (string | undefined)[];
  /** Of Unigram, by id: of the tokens of its model. */
  readonly #scores: readonly number[] | undefined;

  constructor(private readonly folder: string) {
    this.#path = join(folder, 'tokenizer.json');
    const tokenizer = this.#read('tokenizer.json');
    if (tokenizer === undefined)
      throw new ModelFileError(
        folder,
        'folder',
        'expected a tokenizer.json for text, found none; token ids work without',
      );
    this.#tokenizer = tokenizer;
    this.#settings = this.#read('tokenizer_config.json') ?? {};
    const { model } = tokenizer;
    this.#model = isObject(model) ? model : this.#fail('model', `expected an object, found ${kindOf(model)}`);
    this.#checkModel();
    this.#added = this.#readAdded();
    this.#scores = this.#model.type === 'Unigram' ? this.#readPieces().map(([, score]) => score) : undefined;
    this.#tokens = this.#readTokens();
  }

  source(): TextSource {
    const kind = this.#kind();
    const tokens = this.#paddedTokens();
    const entries = new Map<string, MetadataEntry>();
    const set = (key: string, entry: MetadataEntry) => entries.set(`tokenizer.${key}`, entry);
    set('ggml.model', { type: 'string', value: kind });
    set('ggml.tokens', strings(tokens.map((token, id) => token ?? `[PAD${id}]`)));
    set('ggml.token_type', numbers(tokens.map((token, id) => this.#typeOf(token, id, kind))));
    const scores = this.#scores;
    const lacking = tokens.length - (scores?.length ?? 0);
    if (scores) set('ggml.scores', numbers([...scores, ...Array<number>(lacking).fill(0)], 'float64'));
    else set('ggml.merges', strings(this.#readMerges()));
    const around = this.#readTemplate();
    for (const role of ['bos', 'eos', 'unk'] as const) {
      const id = this.#roleId(role);
      const key = `ggml.${role === 'unk' ? 'unknown' : role}_token_id`;
      if (id !== undefined) set(key, { type: 'uint32', value: id });
      else if (role !== 'unk' && around[role] !== undefined) set(key, { type: 'uint32', value: around[role] });
    }
    set('ggml.add_bos_token', { type: 'bool', value: around.bos !== undefined });
    set('ggml.add_eos_token', { type: 'bool', value: around.eos !== undefined });
    const { prefix, onlyFirst, once, splits } = kind === 'llama' ? this.#spacePrefix() : NO_PREFIX;
    set('ggml.add_space_prefix', { type: 'bool', value: prefix });
    for (const [name, template] of this.#chatTemplates())
      set(name === 'default' ? 'chat_template' : `chat_template.${name}`, { type: 'string', value: template });
    return {
      path: this.folder,
      metadata: new Metadata(this.#path, entries),
      own: {
        ...(kind === 'gpt2' && { preTokenizer: this.#preTokenizer() }),
        stripAfter: new Set(this.#added.filter(({ rstrip }) => rstrip).map(({ id }) => id)),
        ends: new Set(this.#endIds(tokens.length)),
        prefixOnlyFirst: onlyFirst,
        prefixOnce: once,
        splitsWords: splits,
        ...(scores && { unigram: { size: scores.length } }),
      },
    };
  }

  #read(name: string): JsonObject | undefined {
    return readJsonFile(join(this.folder, name), MAX_BYTES, { repeats: true });
  }

  #fail(key: string, problem: string): never {
    throw new ModelFileError(this.#path, `key ${quote(key)}`, problem);
  }

  #refuse(feature: string, hint: string): never {
    throw new UnsupportedError(this.#path, feature, hint);
  }

  #checkModel(): void {
    const { type } = this.#model;
    if (type === 'Unigram') return;
    if (type !== undefined && type !== 'BPE')
      this.#refuse(`a tokenizer of the type ${kindOf(type)}`, 'byte-level BPE, BPE with byte fallback and Unigram are');
    for (const key of ['continuing_subword_prefix', 'end_of_word_suffix'])
      if (this.#model[key]) this.#refuse(`BPE with ${key}`, `found ${kindOf(this.#model[key])}`);
    if (this.#model.dropout) this.#refuse('BPE with dropout', `found ${kindOf(this.#model.dropout)}`);
  }

  /** llama.cpp's names: byte-level BPE is gpt2, SentencePiece's llama. */
  #kind(): 'gpt2' | 'llama' {
    const steps = [
      ...stepsOf(this.#tokenizer.pre_tokenizer, 'pretokenizers'),
      ...stepsOf(this.#tokenizer.decoder, 'decoders'),
    ];
    if (!steps.some((step) => step.type === 'ByteLevel')) return 'llama';
    return this.#scores ? this.#refuse('Unigram over bytes', 'found a step ByteLevel') : 'gpt2';
  }

  #preTokenizer() {
    const { normalizer, pre_tokenizer: preTokenizer } = this.#tokenizer;
    const splitters = splittersOf(this.#path, normalizer, preTokenizer);
    return { splitters, ignoreMerges: this.#model.ignore_merges === true, addBos: false };
  }

  /** SentencePiece: a space before the text, from the step that puts it there. */
  #spacePrefix(): typeof NO_PREFIX {
    let { prefix, onlyFirst, once, splits } = NO_PREFIX;
    const { normalizer, pre_tokenizer: preTokenizer } = this.#tokenizer;
    for (const step of [...stepsOf(normalizer, 'normalizers'), ...stepsOf(preTokenizer, 'pretokenizers')]) {
      const { type, prepend, pattern, content, prepend_scheme: scheme, replacement } = step;
      const { String: replaced } = isObject(pattern) ? pattern : {};
      if (type === 'Prepend' && prepend === SPACE) prefix = true;
      else if (type === 'Replace' && replaced === ' ' && content === SPACE) continue;
      // Gemma's: no space is left to split at.
      else if (type === 'Split' && replaced === ' ' && step.behavior === 'MergedWithPrevious') continue;
      else if (type === 'Metaspace' && replacement === SPACE) {
        // Absent keys are what the library takes them for.
        splits = step.split !== false;
        prefix = scheme === undefined ? step.add_prefix_space !== false : scheme !== 'never';
        onlyFirst = scheme === 'first';
        once = true;
      } else this.#refuse('text with this normalizer', `${quote(JSON.stringify(step))} is not known`);
    }
    return { prefix, onlyFirst, once, splits };
  }

  #readAdded(): AddedToken[] {
    const list = this.#tokenizer.added_tokens ?? [];
    if (!Array.isArray(list)) return this.#fail('added_tokens', `expected a list, found ${kindOf(list)}`);
    return list.map((entry: Json): AddedToken => {
      const { id, content, special, lstrip, rstrip, single_word: single } = isObject(entry) ? entry : {};
      if (!isId(id) || typeof content !== 'string')
        return this.#fail('added_tokens', `expected an id and a content, found ${quote(JSON.stringify(entry))}`);
      if (lstrip === true || single === true)
        this.#refuse(`the token ${quote(content)} with ${lstrip ? 'lstrip' : 'single_word'}`, 'it must be false');
      return { id, content, special: special === true, rstrip: rstrip === true };
    });
  }

  #readTokens(): (string | undefined)[] {
    const { type, vocab } = this.#model;
    if (type !== 'Unigram' && !isObject(vocab))
      return this.#fail('model.vocab', `expected an object, found ${kindOf(vocab)}`);
    const tokens: (string | undefined)[] = [];
    const known = isObject(vocab)
      ? Object.entries(vocab)
      : this.#readPieces().map(([token], id) => [token, id] as const);
    const all = [...known, ...this.#added.map(({ content, id }) => [content, id] as const)];
    for (const [token, id] of all) {
      if (!isId(id)) return this.#fail('model.vocab', `expected an id for ${quote(token)}, found ${kindOf(id)}`);
      tokens[id] = token;
    }
    return Array.from(tokens);
  }

  /** Of Unigram: tokens and their scores, by id. */
  #readPieces(): (readonly [token: string, score: number])[] {
    const { vocab } = this.#model;
    if (!Array.isArray(vocab)) return this.#fail('model.vocab', `expected a list, found ${kindOf(vocab)}`);
    return vocab.map((entry: Json) => {
      const [token, score] = Array.isArray(entry) && entry.length === 2 ? entry : [];
      if (typeof token === 'string' && typeof score === 'number') return [token, score] as const;
      return this.#fail('model.vocab', `expected a token and its score, found ${quote(JSON.stringify(entry))}`);
    });
  }

  /** Up to the vocab_size of config.json: rows of the embedding that no token has. */
  #paddedTokens(): (string | undefined)[] {
    const { vocab_size: size } = this.#read('config.json') ?? {};
    const missing = isId(size) ? Math.max(0, size - this.#tokens.length) : 0;
    return [...this.#tokens, ...Array<undefined>(missing)];
  }

  #typeOf(token: string | undefined, id: number, kind: 'gpt2' | 'llama'): number {
    if (token === undefined) return TokenType.UNUSED;
    if (this.#scores ? id === this.#unknownId(this.#scores) : token === this.#model.unk_token) return TokenType.UNKNOWN;
    const added = this.#addedById.get(id);
    if (added) return added.special ? TokenType.CONTROL : TokenType.USER_DEFINED;
    const isByte = kind === 'llama' && this.#model.byte_fallback === true && /^<0x[0-9A-F]{2}>$/.test(token);
    return isByte ? TokenType.BYTE : TokenType.NORMAL;
  }

  get #addedById(): ReadonlyMap<number, AddedToken> {
    this.#byId ??= new Map(this.#added.map((token) => [token.id, token]));
    return this.#byId;
  }
  #byId: ReadonlyMap<number, AddedToken> | undefined;

  #readMerges(): string[] {
    const { merges } = this.#model;
    if (!Array.isArray(merges)) return this.#fail('model.merges', `expected a list, found ${kindOf(merges)}`);
    return merges.map((merge: Json): string => {
      const parts = typeof merge === 'string' ? merge.split(' ') : merge;
      const sound =
        Array.isArray(parts) &&
        parts.length === 2 &&
        parts.every((part): part is string => typeof part === 'string' && part !== '' && !part.includes(' '));
      return sound
        ? parts.join(' ')
        : this.#fail('model.merges', `expected two tokens without spaces, found ${quote(JSON.stringify(merge))}`);
    });
  }

  /** The tokens that the post-processor puts around one text. */
  #readTemplate(): { bos?: number; eos?: number } {
    const around: { bos?: number; eos?: number } = {};
    for (const step of stepsOf(this.#tokenizer.post_processor, 'processors')) {
      if (step.type === 'ByteLevel') continue; // of offsets alone
      if (step.type !== 'TemplateProcessing' || !Array.isArray(step.single))
        this.#refuse('text with this post-processor', `${quote(JSON.stringify(step).slice(0, 80))} is not known`);
      this.#readSingle(step.single as readonly Json[], step.special_tokens, around);
    }
    // What transformers does when it loads these classes, whatever the file says.
    const named = /^(Llama|CodeLlama|Gemma)Tokenizer/.test(`${this.#settings.tokenizer_class}`);
    for (const role of named ? (['bos', 'eos'] as const) : []) {
      const adds = this.#settings[`add_${role}_token`];
      const id = this.#roleId(role);
      if (adds === true && id !== undefined) around[role] = id;
      if (adds === false) delete around[role];
    }
    return around;
  }

  #readSingle(single: readonly Json[], special: Json | undefined, around: { bos?: number; eos?: number }): void {
    const kinds = single.map((part) => (isObject(part) ? (Object.keys(part)[0] ?? '') : ''));
    const text = kinds.indexOf('Sequence');
    if (text < 0 || text > 1 || kinds.length > text + 2)
      this.#refuse('text with more than one token before or after it', quote(JSON.stringify(single)));
    for (const [i, part] of single.entries()) {
      if (i === text) continue;
      const name = isObject(part) && isObject(part.SpecialToken) ? part.SpecialToken.id : undefined;
      const known = isObject(special) && typeof name === 'string' ? special[name] : undefined;
      const ids = isObject(known) && Array.isArray(known.ids) ? known.ids : [];
      const [id] = ids;
      if (ids.length !== 1 || !isId(id)) this.#fail('post_processor', `expected the id of ${kindOf(name)}, found none`);
      around[i < text ? 'bos' : 'eos'] = id as number;
    }
  }

  /** bos_token and its like, of tokenizer_config.json or special_tokens_map.json. */
  #roleId(role: 'bos' | 'eos' | 'unk'): number | undefined {
    // What the model itself takes for it, whatever the settings say.
    if (role === 'unk' && this.#scores) return this.#unknownId(this.#scores);
    const key = `${role}_token`;
    const value = this.#settings[key] ?? this.#read('special_tokens_map.json')?.[key];
    const text = isObject(value) ? value.content : value;
    const fallback = role === 'unk' ? this.#model.unk_token : undefined;
    const token = typeof text === 'string' ? text : fallback;
    const id = typeof token === 'string' ? this.#tokens.indexOf(token) : -1;
    return id < 0 ? undefined : id;
  }

  /** Of Unigram. Errors: ModelFileError where there is none. */
  #unknownId({ length }: readonly number[]): number {
    const { unk_id: id } = this.#model;
    return isId(id) && id < length ? id : this.#fail('model.unk_id', `expected the id of a token, found ${kindOf(id)}`);
  }

  /** eos_token_id of generation_config.json and config.json, a number or several. */
  #endIds(vocabSize: number): number[] {
    return ['generation_config.json', 'config.json']
      .flatMap((name) => this.#read(name)?.eos_token_id ?? [])
      .filter((id): id is number => isId(id) && id < vocabSize);
  }

  /** By name; "default" is the one for every use. */
  #chatTemplates(): [string, string][] {
    const path = join(this.folder, 'chat_template.jinja');
    const file = readSmallFile(path, MAX_BYTES);
    if (file)
      return [
        ['default', decodeUtf8(file) ?? this.#fail('chat_template.jinja', 'expected UTF-8, found bytes that are not')],
      ];
    const { chat_template: template } = this.#settings;
    if (typeof template === 'string') return [['default', template]];
    if (!Array.isArray(template)) return [];
    return template.flatMap((entry: Json): [string, string][] => {
      const { name, template: text } = isObject(entry) ? entry : {};
      return typeof name === 'string' && typeof text === 'string' ? [[name, text]] : [];
    });
  }
}

const isId = (value: Json | undefined): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 1 << 22;

function strings(values: readonly string[]): MetadataEntry {
  return {
    type: 'array',
    of: 'string',
    length: values.length,
    elements: () => values.map((value) => Buffer.from(value)),
  };
}

function numbers(values: readonly number[], of: 'int32' | 'float64' = 'int32'): MetadataEntry {
  return { type: 'array', of, length: values.length, elements: () => values };
}
