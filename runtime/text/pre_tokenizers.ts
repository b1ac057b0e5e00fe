/**
 * How a text is split into words, which merges never cross: tokenizer.ggml.pre of byte-level BPE vocabularies. Names and
 * sequences of patterns are llama.cpp's (llama_vocab); where it only approximates a published pattern, because its regular
 * expressions know no kinds of letters, the published one stands here.
 */

/** Cuts out what matches; what lies between matches stays a piece. A function gives the pieces itself. */
export type Splitter = RegExp | ((text: string) => string[]);

export interface PreTokenizer {
  /** Each splits the pieces that the one before it made. */
  readonly splitters: readonly Splitter[];
  /** A word that is a token as it stands is not built from merges. */
  readonly ignoreMerges: boolean;
  /** A text starts with the begin token, where tokenizer.ggml.add_bos_token does not say. */
  readonly addBos: boolean;
}

export function splitWords(text: string, splitters: readonly Splitter[]): string[] {
  return splitters.reduce(
    (pieces, splitter) =>
      pieces.flatMap((piece) => (splitter instanceof RegExp ? cut(piece, splitter) : splitter(piece))),
    [text],
  );
}

function cut(text: string, pattern: RegExp): string[] {
  const pieces: string[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) pieces.push(text.slice(end, match.index));
    if (match[0] !== '') pieces.push(match[0]);
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}

/** White space is Unicode's: JavaScript's \s has U+FEFF besides, and lacks U+0085. */
export const pattern = (source: string) =>
  new RegExp(source.replaceAll('\\s', '\\p{White_Space}').replaceAll('\\S', '\\P{White_Space}'), 'gu');
const patterns = (...sources: string[]) => sources.map(pattern);

/** Digits from the right by threes, so that 1234567 is 1, 234, 567. */
const byThrees = (run: RegExp) => (text: string) =>
  cut(text, run).flatMap((piece) => {
    if (piece.search(run) !== 0) return [piece];
    const digits = [...piece];
    const groups: string[] = [];
    for (let end = digits.length % 3 || 3; end <= digits.length; end += 3)
      groups.push(digits.slice(Math.max(0, end - 3), end).join(''));
    return groups;
  });

/** The same for SuperBPE, where what is left of the first group of three stays with what precedes it. */
function beforeThrees(text: string): string[] {
  const pieces: string[] = [];
  let start = 0;
  for (const { 0: run, index } of text.matchAll(/\p{Nd}+/gu)) {
    const digits = [...run];
    let at = index;
    for (const [i, digit] of digits.entries()) {
      if ((digits.length - i) % 3 === 0 && at > start) {
        pieces.push(text.slice(start, at));
        start = at;
      }
      at += digit.length;
    }
  }
  return [...pieces, text.slice(start)];
}

const ENDING = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";
const SPACES = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;
const SIGNS = String.raw` ?[^\s\p{L}\p{N}]+[\r\n]*`;
const LETTERS = String.raw`[^\r\n\p{L}\p{N}]?\p{L}+`;

export const GPT2_WORDS = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const cl100k = (digits: string) => `${ENDING}|${LETTERS}|${digits}|${SIGNS}|${SPACES}`;
const THREE = String.raw`\p{N}{1,3}`;
export const DIGIT = String.raw`\p{N}`;

/** Words whose capitals come first; `not` is a look-ahead that each letter must pass. */
const cased = (ending: string, not = '') => {
  const [upper, lower] = [
    String.raw`${not}[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`,
    String.raw`${not}[\p{Ll}\p{Lm}\p{Lo}\p{M}]`,
  ];
  const head = String.raw`[^\r\n\p{L}\p{N}]?`;
  return `${head}(?:${upper})*(?:${lower})+${ending}|${head}(?:${upper})+(?:${lower})*${ending}`;
};
const o200k = (digits: string, ending = `(?:${ENDING})?`) =>
  String.raw`${cased(ending)}|${digits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${SPACES}`;

const HAN_KANA = String.raw`[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+`;
const PUNCTUATED = '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+';
const DEEPSEEK_WORDS = String.raw`${PUNCTUATED}|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+`;
const DEEPSEEK_V3 = patterns(THREE, HAN_KANA, String.raw`${DEEPSEEK_WORDS}[\r\n]*|${SPACES}`);
/** Letters that have case, as deepseek-llm lists them. */
const DEEPSEEK_CASED = [
  'A-Za-z\\u00b5\\u00c0-\\u00d6\\u00d8-\\u00f6\\u00f8-\\u01ba\\u01bc-\\u01bf\\u01c4-\\u0293\\u0295-\\u02af\\u0370-\\u0373',
  '\\u0376\\u0377\\u037b-\\u037d\\u037f\\u0386\\u0388-\\u038a\\u038c\\u038e-\\u03a1\\u03a3-\\u03f5\\u03f7-\\u0481',
  '\\u048a-\\u052f\\u0531-\\u0556\\u10a0-\\u10c5\\u13a0-\\u13f5\\u13f8-\\u13fd\\u1c90-\\u1cba\\u1cbd-\\u1cbf\\u1d00-\\u1d2b',
  '\\u1d6b-\\u1d77\\u1d79-\\u1d9a\\u1e00-\\u1f15\\u1f18-\\u1f1d\\u1f20-\\u1f45\\u1f48-\\u1f4d\\u1f50-\\u1f57\\u1f59\\u1f5b',
  '\\u1f5d\\u1f5f-\\u1f7d\\u1f80-\\u1fb4\\u1fb6-\\u1fbc\\u1fbe\\u1fc2-\\u1fc4\\u1fc6-\\u1fcc\\u1fd0-\\u1fd3\\u1fd6-\\u1fdb',
  '\\u1fe0-\\u1fec\\u1ff2-\\u1ff4\\u1ff6-\\u1ffc\\u2102\\u2107\\u210a-\\u2113\\u2115\\u2119-\\u211d\\u2124\\u2126\\u2128',
  '\\u212a-\\u212d\\u212f-\\u2134\\u2139\\u213c-\\u213f\\u2145-\\u2149\\u214e\\u2183\\u2184\\u2c00-\\u2c7b\\u2c7e-\\u2ce4',
  '\\u2ceb-\\u2cee\\u2cf2\\u2cf3\\ua640-\\ua66d\\ua680-\\ua69b\\ua722-\\ua76f\\ua771-\\ua787\\ua78b-\\ua78e\\uab70-\\uabbf',
  '\\ufb00-\\ufb06\\ufb13-\\ufb17\\uff21-\\uff3a\\uff41-\\uff5a\\u{10400}-\\u{1044f}\\u{104b0}-\\u{104d3}',
  '\\u{104d8}-\\u{104fb}\\u{10c80}-\\u{10cb2}\\u{10cc0}-\\u{10cf2}\\u{118a0}-\\u{118df}\\u{1e900}-\\u{1e943}',
].join('');
const DEEPSEEK_CJK = String.raw`[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+`;
const AFMOE_CJK = [
  '[\\u4e00-\\u9fff\\u3400-\\u4dbf\\uf900-\\ufaff\\u3040-\\u309f\\u30a0-\\u30ff\\uff65-\\uff9f\\u2f00-\\u2fdf\\u0e00-\\u0e7f',
  '\\u0e80-\\u0eff\\u1780-\\u17ff\\u1000-\\u109f\\uaa60-\\uaa7f\\ua9e0-\\ua9ff\\uac00-\\ud7af\\u1100-\\u11ff]+',
].join('');
const YOUTU_CJK = [
  '[\\uac00-\\ud7a3\\u3131-\\u318e]+|[\\uff01\\u2026\\u201c\\u201d\\u2018\\u2019\\u2014\\uff1a\\uff1b\\uff0c\\u3001-\\u303f',
  '\\ufe30-\\ufe4f]+|[\\u3105-\\u312f]+|[\\u4e00-\\u9fa5\\u3040-\\u309f\\u30a0-\\u30ff]+',
].join('');
const BLOOM = String.raw` ?[^(\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+`;
const NOT_HAN = String.raw`(?!\p{Script=Han})`;
const JAIS_SPACES = `${[512, 256, 128, 64, 32, 16, 8, 4, '1,2'].map((n) => String.raw`\s{${n}}(?!\S)`).join('|')}|\\s`;

/** Flags that llama.cpp sets where the metadata says nothing. */
const [PLAIN, WHOLE, BOS, WHOLE_BOS] = [[], ['whole'], ['bos'], ['whole', 'bos']] as const;

const TABLE: readonly (readonly [names: string, splitters: readonly Splitter[], flags: readonly string[]])[] = [
  [
    'gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert jina-v1-en jina-v2-code roberta-bpe mpt olmo jais trillion granite-docling exaone4',
    patterns(GPT2_WORDS),
    PLAIN,
  ],
  [
    'llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano',
    patterns(cl100k(THREE)),
    WHOLE_BOS,
  ],
  ['dbrx smaug-bpe glm4 chatglm-bpe', patterns(cl100k(THREE)), PLAIN],
  ['qwen2 deepseek-r1-qwen kormo f2llmv2 stablelm2 hunyuan solar-open megrez grok-2', patterns(cl100k(DIGIT)), PLAIN],
  [
    'qwen35',
    patterns(cl100k(DIGIT).replaceAll('\\p{L}+', '[\\p{L}\\p{M}]+').replace('[^\\s\\p{L}', '[^\\s\\p{L}\\p{M}')),
    PLAIN,
  ],
  ['starcoder refact command-r smollm codeshell exaone minerva-7b mellum2', patterns(DIGIT, GPT2_WORDS), PLAIN],
  ['falcon', patterns('[\\p{P}$+<=>^~|`]+', GPT2_WORDS, '[0-9][0-9][0-9]'), PLAIN],
  ['default', patterns('[\\p{P}$+<=>^~|]+', GPT2_WORDS, '\\p{N}+', '[0-9][0-9][0-9]'), PLAIN],
  ['tekken', patterns(o200k(DIGIT, '')), WHOLE_BOS],
  ['gpt-4o llama4 kanana2 talkie minimax-m2', patterns(o200k(THREE)), PLAIN],
  ['granite-embed-multi-97m', patterns(o200k(THREE)), WHOLE],
  [
    'tiny_aya cohere2moe',
    [byThrees(/(?<!\p{Nd})\p{Nd}+(?![\p{L}\p{M}\p{N}\p{Pc}])/gu), ...patterns(o200k(THREE))],
    PLAIN,
  ],
  ['youtu', patterns(YOUTU_CJK, o200k(DIGIT)), WHOLE],
  ['deepseek-v3 hunyuan-dense joyai-llm hy_v4', DEEPSEEK_V3, PLAIN],
  ['spark2_5', patterns(THREE, HAN_KANA, `${DEEPSEEK_WORDS}|[\\r\\n]|\\s+(?!\\S)|\\s+`, DIGIT), PLAIN],
  ['afmoe', [byThrees(/\p{N}+/gu), ...patterns(AFMOE_CJK, String.raw`${DEEPSEEK_WORDS}[\r\n]*|${SPACES}`)], PLAIN],
  [
    'deepseek-llm',
    patterns(
      '[\\r\\n]',
      `\\s?[${DEEPSEEK_CASED}]+`,
      '\\s?[!-/:-~\\uff01-\\uff0f\\uff1a-\\uff5e\\u2018-\\u201f\\u3000-\\u3002]+',
      '(?<!\\s)\\s+$',
      DEEPSEEK_CJK,
      '\\p{N}+',
    ),
    PLAIN,
  ],
  ['deepseek-coder', patterns('[\\r\\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', DEEPSEEK_CJK, DIGIT), PLAIN],
  ['poro-chat bloom gpt3-finnish', patterns(BLOOM), PLAIN],
  ['viking', patterns(BLOOM, DIGIT), PLAIN],
  [
    'chameleon',
    patterns('<sentinel:[0-9]+>', 'IMGIMG[A-I]{1,4}Z', '[\\t\\n]|    |  ', DIGIT, '[\\p{P}!-/:-@\\[-`{-~]', GPT2_WORDS),
    BOS,
  ],
  ['superbpe', [pattern('\\p{N}+'), beforeThrees], PLAIN],
  [
    'kimi-k2',
    patterns(String.raw`\p{Script=Han}+|${cased(`(?:${ENDING})?`, NOT_HAN)}|${THREE}|${SIGNS}|${SPACES}`),
    PLAIN,
  ],
  ['bailingmoe bailingmoe2 llada-moe', patterns(cl100k(DIGIT).replace('\\s*[\\r\\n]+', '\\s*[\\r\\n]')), PLAIN],
  ['seed-coder', patterns(`${ENDING}|${LETTERS}|${DIGIT}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|${SPACES}`), PLAIN],
  ['ufakzeka', patterns(`${LETTERS}|${DIGIT}|${SIGNS}|${SPACES}`), PLAIN],
  ['laguna', patterns('[^\\n]+|\\n+', cl100k(DIGIT)), PLAIN],
  ['minicpm5', patterns(THREE, cl100k('\\p{N}+')), WHOLE],
  ['jais-2', patterns(`${ENDING}|${LETTERS}|${THREE}|${SIGNS}|\\s*[\\r\\n]+|${JAIS_SPACES}`), PLAIN],
  [
    'exaone-moe',
    patterns(
      String.raw`${ENDING}|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|` +
        String.raw`\s+(?!\S)|\s+`,
    ),
    PLAIN,
  ],
];

export const PRE_TOKENIZERS: ReadonlyMap<string, PreTokenizer> = new Map(
  TABLE.flatMap(([names, splitters, flags]) => {
    const row = { splitters, ignoreMerges: flags.includes('whole'), addBos: flags.includes('bos') };
    return names.split(' ').map((name) => [name, row] as const);
  }),
);
