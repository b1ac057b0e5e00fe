/** A text to ids and back as a tokenizer.json says: the order of the library's steps. */

import { shield } from '../mark.js';
import type { Steps } from '../regex/index.js';
import type { SplitOptions, TextModel } from '../text_model.js';
import { type AddedToken, AddedTokens, readAddedTokens } from './added_tokens.js';
import { type Decoder, readDecoder } from './decoders.js';
import type { Fields } from './fields.js';
import type { Model } from './model.js';
import { readModel } from './models.js';
import { type Normalizer, readNormalizers } from './normalizers.js';
import { type Around, readPostProcessor } from './post_processor.js';
import { type PreTokenizer, readPreTokenizers } from './pre_tokenizers.js';

/** The parts of a tokenizer.json. */
export interface Pipeline {
  readonly model: Model;
  readonly added: readonly AddedToken[];
  readonly around: Around;
  readonly normalize: Normalizer;
  readonly preTokenize: PreTokenizer;
  readonly decode: Decoder;
  /** Of all of its expressions. */
  readonly steps: Steps;
  /** Each character of a text comes to be in some token. */
  readonly keepsAll: boolean;
}

/** Steps after which no character of a text is without a token. */
const KEEPING: ReadonlySet<unknown> = new Set(['Prepend', 'Metaspace', 'ByteLevel', 'Digits']);

/** Errors: UnsupportedError names what is not supported; ModelFileError what is damaged. */
export function readPipeline(file: Fields): Pipeline {
  const [normalizers, preTokenizers] = [
    file.sequence('normalizer', 'normalizers'),
    file.sequence('pre_tokenizer', 'pretokenizers'),
  ];
  const model = readModel(file.within('model', 'model'));
  const added = readAddedTokens(file, model.ids);
  const isBytes = [...normalizers, ...preTokenizers].some((step) => step.get('type') === 'ByteLevel');
  const keeps = [...normalizers, ...preTokenizers].every(
    (step) => KEEPING.has(step.get('type')) || (step.get('type') === 'Split' && step.get('behavior') !== 'Removed'),
  );
  return {
    ...{ model, added, steps: file.steps },
    around: readPostProcessor(file),
    normalize: readNormalizers(normalizers),
    preTokenize: readPreTokenizers(preTokenizers),
    decode: readDecoder(file),
    keepsAll: keeps && (isBytes || model.complete) && !added.some(({ lstrip, rstrip }) => lstrip || rstrip),
  };
}

export class PipelineText implements TextModel {
  readonly addBos = false;
  readonly #added: AddedTokens;

  /** `tokens`: by id; `isHidden`: a token is no text. */
  constructor(
    private readonly pipeline: Pipeline,
    private readonly tokens: readonly (string | undefined)[],
    isHidden: (id: number) => boolean,
  ) {
    pipeline.steps.allow(pipeline.added.reduce((length, { content }) => length + content.length, 0));
    this.#added = new AddedTokens(pipeline.added, pipeline.normalize, isHidden);
  }

  encode(text: string, options: SplitOptions): number[] {
    this.pipeline.steps.allow(text.length);
    const ids: number[] = [];
    for (const fragment of this.#added.split(text, options)) {
      if ('id' in fragment) ids.push(fragment.id);
      else
        for (const piece of this.pipeline.preTokenize(fragment))
          for (const id of this.pipeline.model.encode(piece.text)) ids.push(id);
    }
    return ids;
  }

  shield(text: string): string {
    return shield(text, this.#added.spellsHidden);
  }

  bytes(id: number, first: boolean): Uint8Array {
    const token = this.tokens[id];
    if (token === undefined) return new Uint8Array();
    this.pipeline.steps.allow(token.length);
    return this.pipeline.decode(token, first);
  }

  get keepsAll(): boolean {
    return this.pipeline.keepsAll;
  }
}
