/** The subcommand `serve` of realizar-run: parse and call. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { compiledTarget } from '../../addon/artifact.js';
import { TOOL_FORMAT_NAMES } from '../../llm/answer/formats/registry.js';
import { LineSink } from '../../serve/line_sink.js';
import { DEFAULTS } from '../../serve/options.js';
import { type ListenOptions, type Load, serveUntilSignal } from '../../serve/serve.js';
import { addChatTemplateOption, type ChatTemplateFlags, chatTemplateOf } from '../chat_template_option.js';
import { RunError } from '../exit.js';
import { addModelOptions, defined, type ModelFlags, modelFile, withModel } from '../model.js';
import { bytes, integer } from '../values.js';
import { describeCapacity } from './capacity.js';
import { listenError } from './listen_error.js';

interface Flags extends ModelFlags, ChatTemplateFlags {
  readonly host: string;
  readonly port: number;
  readonly apiKey?: string;
  readonly alias?: string;
  readonly parallel?: number;
  readonly kvMemory?: number;
  readonly queue: number;
  readonly bodyLimit: number;
  readonly drainTimeout: number;
  readonly maxConnections: number;
  readonly cors?: readonly string[];
  readonly allowedHost?: readonly string[];
  readonly toolFormat: string;
  readonly log: 'text' | 'json' | 'none';
}

const MIB = 1 << 20;
/** How many at once. 0: as many as the library can; the simulator computes no faster for more. */
const USUAL = { cuda: 0, host: 4 };
const LOCAL = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;

const nonEmpty = (text: string): string => {
  if (text !== '') return text;
  throw new InvalidArgumentError('expected a text, found an empty one.');
};

/** An IPv6 address may stand in brackets, as in URLs. */
const address = (text: string): string => nonEmpty(text).replace(/^\[(.*)\]$/, '$1');

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export function serveCommand(): Command {
  const command = new Command('serve').description("an HTTP server with OpenAI's API, metrics and a chat page");
  return addChatTemplateOption(addModelOptions(command))
    .option(
      '--host <address>',
      'address to listen on, of IPv4 or IPv6; 0.0.0.0 is all of this machine',
      address,
      '127.0.0.1',
    )
    .option('--port <n>', 'port to listen on; 0 is one that is free, which is printed', integer(0, 65535), 8080)
    .addOption(
      new Option('--api-key <key>', 'clients must send it as Authorization: Bearer KEY; better in the environment')
        .env('REALIZAR_API_KEY')
        .argParser(nonEmpty),
    )
    .option('--alias <id>', "the model's id in the API (default: its name)", nonEmpty)
    .option(
      '--parallel <n>',
      'generations that run at once (default: as many as a step can choose tokens for; 4 on the host target)',
      integer(1, 1024),
    )
    .option(
      '--kv-memory <size>',
      'device memory for KV cache, which they share, as in 8G (default: for all of them at the whole context, or what is free less a tenth, whichever is less)',
      bytes,
    )
    .option(
      '--queue <n>',
      'generations that may wait for their turn; more get 429',
      integer(0, 100_000),
      DEFAULTS.queueLimit,
    )
    .addOption(
      new Option('--tool-format <name>', 'how the model writes calls of functions; auto: what its chat template says')
        .choices(TOOL_FORMAT_NAMES)
        .default('auto'),
    )
    .option(
      '--body-limit <mib>',
      'largest body of a request, in MiB; more gets 413',
      integer(1, 1024),
      DEFAULTS.bodyLimit / MIB,
    )
    .option('--drain-timeout <s>', 'seconds that running requests have after SIGTERM or SIGINT', integer(0, 86_400), 30)
    .option(
      '--cors <origin>',
      'pages of this origin may call the API from a browser; "*": all; can be given several times (default: none)',
      collect,
    )
    .option(
      '--allowed-host <name>',
      'requests may name this server so, besides localhost and this machine\'s name and addresses; "*": any name; can be given several times',
      collect,
    )
    .option(
      '--max-connections <n>',
      'connections at once; more are closed',
      integer(1, 1_000_000),
      DEFAULTS.maxConnections,
    )
    .addOption(
      new Option('--log <format>', 'one line a request on stderr, never what it says')
        .choices(['text', 'json', 'none'])
        .default(DEFAULTS.logFormat),
    )
    .addHelpText('after', HELP)
    .action(serve);
}

async function serve(directory: string, flags: Flags): Promise<void> {
  const [stdout, stderr] = [new LineSink(process.stdout), new LineSink(process.stderr)];
  const note = (line: string) => flags.log === 'none' || say(stderr, line);
  if (flags.apiKey === undefined && !LOCAL.test(flags.host)) note(`warning: ${flags.host} ${OPEN_TO_ALL}`);
  const model = await modelFile(directory, flags.model);
  const chat = { ...chatTemplateOf(flags), toolFormat: flags.toolFormat };
  const load: Load = (signal, use) => {
    const { parallel = USUAL[compiledTarget(directory)], kvMemory } = flags;
    const engine = { sequences: parallel, ...defined({ kvMemory }) };
    return withModel(directory, { ...flags, model }, { ...engine, signal, ...chat }, (loaded) => {
      note(describeCapacity(loaded));
      return use(loaded);
    });
  };
  const log = { log: stderr.write, logBroken: (problem: string) => say(stdout, `warning: ${problem}`) };
  const cutOff = await serveUntilSignal(
    load,
    { ...listenOptions(flags), ...log },
    {
      loading: (url) => note(`${url} answers 503 until the model is loaded`),
      listening: (url) => say(stdout, `listening on ${url}`),
      draining: (signal, requests) =>
        note(`${signal}: ${requests} to finish within ${flags.drainTimeout} s; once more ends them now`),
      defect: (error) => note(`defect, which is survived: ${error instanceof Error ? error.stack : error}`),
    },
  ).catch((error) => {
    throw listenError(error, flags);
  });
  if (cutOff > 0) throw new RunError(`${cutOff} requests did not finish in time and were cut off`);
}

/** A reader that is slow or gone, or a full disk, does not end the server. */
function say(sink: LineSink, line: string): void {
  try {
    sink.write(line);
  } catch {}
}

const OPEN_TO_ALL = 'is reached from other machines and no API key is set: whoever reaches it can use the model';

const listenOptions = ({
  host,
  port,
  apiKey,
  alias,
  queue,
  bodyLimit,
  drainTimeout,
  cors,
  allowedHost,
  maxConnections,
  log,
}: Flags): ListenOptions => ({
  host,
  port,
  apiKey,
  alias,
  queueLimit: queue,
  bodyLimit: bodyLimit * MIB,
  drainTimeout: drainTimeout * 1000,
  cors: cors ?? [],
  allowedHosts: [host.includes(':') ? `[${host}]` : host, ...(allowedHost ?? [])],
  maxConnections,
  logFormat: log,
});

const HELP = `
Serves /v1/chat/completions, /v1/completions, /v1/models, /tokenize, /detokenize, /health and /metrics, and at / a page
to chat with the model. SIGTERM or Ctrl-C ends it when running requests have finished; new ones get 503 meanwhile.

Examples:
  realizar-run serve generated/model                                 for this machine alone, port 8080
  REALIZAR_API_KEY=secret realizar-run serve generated/model --host 0.0.0.0 --parallel 16
  curl http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"messages": [{"role": "user", "content": "Hello"}]}'

Exit codes: 0 ended and all requests had finished, 1 failed, or requests were cut off, 2 wrong usage.
`;
