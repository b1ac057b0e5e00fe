/**
 * The process that renders chat templates. A template is a program from whoever made the file, so it runs apart: without
 * environment and files, with a limit on its memory, up to a deadline. A thread would take this process along when its memory is spent.
 * The process is kept for the next template, since starting one takes longer than rendering; one that failed is ended.
 */
import { spawn } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { packageRoot } from '../addon/locate.js';

export type Outcome = { readonly text: string } | { readonly text?: never; readonly failed: string };

const HEAP_MEGABYTES = 256;
/** To start a process, milliseconds; a machine may be busy, and nothing foreign runs yet. */
const START_DEADLINE = 30_000;
/** The compiled module, also where this one runs as TypeScript: Node 20 runs JavaScript alone. */
const MODULE = 'dist/runtime/text/template_worker.js';

/** One process at a time, started when it is needed; requests are answered in order. Nothing of it keeps Node running. */
export class TemplateProcess {
  #worker: Worker | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  /** Starts the process, so that the first request need not wait for it. */
  warm(): void {
    this.#running();
  }

  /**
   * `request`: JSON with `template`, `variables` and `limit`, the characters that it may print. `deadline`: milliseconds of the
   * processor that the process may take for it.
   */
  render(request: string, deadline: number): Promise<Outcome> {
    const outcome = this.#tail.then(() => this.#render(request, deadline));
    this.#tail = outcome;
    return outcome;
  }

  /** Ends the process, and fails what it was doing. A later request starts another. */
  close(): void {
    this.#worker?.end();
  }

  async #render(line: string, deadline: number): Promise<Outcome> {
    const worker = this.#running();
    worker.keepsNodeRunning(true);
    const started = await worker.started;
    const answered = 'failed' in started ? started : await worker.ask(line, deadline);
    worker.keepsNodeRunning(false);
    if (!('failed' in answered)) return JSON.parse(answered.line);
    worker.end();
    return answered;
  }

  #running(): Worker {
    if (!this.#worker?.isRunning) this.#worker = new Worker();
    return this.#worker;
  }
}

type Line = { readonly line: string } | { readonly failed: string };

class Worker {
  readonly started: Promise<Line>;
  readonly #child = startProcess();
  #output: Buffer[] = [];
  #settle: ((line: Line) => void) | undefined;
  #ended: string | undefined;

  constructor() {
    const child = this.#child;
    child.stdin.on('error', () => {}); // it ended before it read all of its input; 'close' says how
    child.stdout.on('data', (chunk: Buffer) => {
      this.#output.push(chunk);
      if (chunk.at(-1) !== LINE_END) return;
      const line = Buffer.concat(this.#output).toString();
      this.#output = [];
      this.#settle?.({ line });
    });
    child.on('error', (error) => this.#end(`expected to start ${process.execPath} for it: ${error.message}`));
    child.on('close', (code, signal) => {
      const memory = `expected it to need at most ${HEAP_MEGABYTES} MiB of memory`;
      this.#end(`${memory}, found that its process ended with ${signal ?? `status ${code}`}`);
    });
    this.started = this.#line(START_DEADLINE, 'its process to start');
    this.keepsNodeRunning(false);
  }

  get isRunning(): boolean {
    return this.#ended === undefined;
  }

  /** One at a time. */
  ask(line: string, deadline: number): Promise<Line> {
    const answer = this.#line(deadline, 'it to end', () => processorMs(this.#child.pid));
    this.#child.stdin.write(`${line}\n`);
    return answer;
  }

  end(): void {
    this.#end('its process was ended');
    this.#child.kill('SIGKILL');
  }

  keepsNodeRunning(keeps: boolean): void {
    const { stdin, stdout } = this.#child;
    for (const handle of [this.#child, stdin as Socket, stdout as Socket]) keeps ? handle.ref() : handle.unref();
  }

  #end(reason: string): void {
    this.#ended ??= reason;
    this.#settle?.({ failed: this.#ended });
  }

  /** The next line that it prints. */
  #line(deadline: number, what: string, busy: () => number | undefined = () => undefined): Promise<Line> {
    if (this.#ended !== undefined) return Promise.resolve({ failed: this.#ended });
    return new Promise((resolve) => {
      const [began, begin] = [busy() ?? 0, performance.now()];
      const late = () => {
        const left = deadline - ((busy() ?? Number.POSITIVE_INFINITY) - began);
        const passed = performance.now() - begin;
        if (left > 0 && passed < WAITS * deadline) timer = setTimeout(late, left).unref();
        else this.#settle?.({ failed: `expected ${what} within ${deadline} ms; it was stopped` });
      };
      let timer = setTimeout(late, deadline).unref();
      this.#settle = (line) => {
        clearTimeout(timer);
        this.#settle = undefined;
        resolve(line);
      };
    });
  }
}

const LINE_END = 10;

/** How often the deadline may pass while a process waits for a processor that others have. */
const WAITS = 15;

/** That a process has taken of the processor, milliseconds; undefined where Linux does not say, as of one that has ended. */
function processorMs(pid: number | undefined): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name may have blanks
    return 10 * (Number(fields[11]) + Number(fields[12])); // utime and stime, 100 a second
  } catch {
    return undefined;
  }
}

const flagsOfNode = process.allowedNodeEnvironmentFlags;

/** Node's permissions: only `code` can be read, nothing is written, no process and no thread starts. From Node 25 on there is no network either. */
export function sandboxFlags(code: readonly string[]): string[] {
  const permission = flagsOfNode.has('--permission') ? '--permission' : '--experimental-permission';
  const reads = code.map((path) => `--allow-fs-read=${path}`);
  return [permission, ...reads, '--disallow-code-generation-from-strings', '--no-warnings'];
}

function startProcess() {
  const root = realpathSync(packageRoot()); // links are resolved before permissions are looked at
  const code = ['dist', 'package.json'].map((name) => join(root, name));
  const flags = [`--max-old-space-size=${HEAP_MEGABYTES}`, ...sandboxFlags(code)];
  const { TZ } = process.env;
  return spawn(process.execPath, [...flags, join(root, MODULE)], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: TZ === undefined ? {} : { TZ },
  });
}
